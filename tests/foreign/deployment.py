"""A `chanceryd dev` of its own for the tests, and channels to it with its clients' certificates."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import tomllib
from pathlib import Path

import grpc

START_SECONDS = 60
STOP_SECONDS = 20


class Deployment:
    """Runs from construction to `stop`; its directory is removed with it."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="chancery-foreign."))
        self._output: list[str] = []
        self._ready = threading.Event()
        self._channels: list[grpc.Channel] = []
        self._process = subprocess.Popen(
            [os.environ["CHANCERYD"], "dev", "--dir", str(self.directory), "--listen", "127.0.0.1:0"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        # Its output is read to the end, so that it never blocks on a full pipe.
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not (self._ready.wait(START_SECONDS) and self._process.poll() is None):
            self.stop()
            raise RuntimeError("chanceryd dev was not ready:\n" + "".join(self._output[-40:]))

    def _read(self) -> None:
        for line in self._process.stdout:
            self._output.append(line)
            if re.match(r"ready\b", line):
                self._ready.set()
        # Ended: nobody need wait any longer.
        self._ready.set()

    def stop(self) -> int:
        """Ends the service as an operator would; returns its exit code."""
        for channel in self._channels:
            channel.close()
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
        finally:
            self._reader.join(STOP_SECONDS)
            self._process.stdout.close()
            shutil.rmtree(self.directory, ignore_errors=True)

    def channel(self, client: str, anonymous: bool = False) -> grpc.Channel:
        """mTLS with the certificate of DIR/clients/CLIENT; `anonymous`: TLS without one."""
        home = self.directory / "clients" / client
        settings = tomllib.loads((home / "client.toml").read_text())

        def read(what: str) -> bytes:
            return (home / settings[what]).read_bytes()

        own = {} if anonymous else {"private_key": read("key"), "certificate_chain": read("certificate")}
        credentials = grpc.ssl_channel_credentials(root_certificates=read("ca"), **own)
        channel = grpc.secure_channel(settings["address"].removeprefix("https://"), credentials)
        self._channels.append(channel)
        return channel
