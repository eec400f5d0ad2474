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
CLIENT_SECONDS = 30


class Deployment:
    """Runs from construction to `stop`; its directory is removed with it."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="chancery-foreign."))
        self.address = "127.0.0.1:0"
        # Of the HTTPS mirror, where it was configured.
        self.mirror = ""
        self._channels: list[grpc.Channel] = []
        self._start()

    def _start(self) -> None:
        self._output: list[str] = []
        self._ready = threading.Event()
        self._process = subprocess.Popen(
            [os.environ["CHANCERYD"], "dev", "--dir", str(self.directory), "--listen", self.address],
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
            if found := re.match(r"mirror (\S+)", line):
                self.mirror = found[1]
            if found := re.match(r"ready (\S+)", line):
                self.address = found[1]
                self._ready.set()
        # Ended: nobody need wait any longer.
        self._ready.set()

    def restart(self, configuration: str) -> None:
        """Adds sections to the configuration, and starts the service again on the address that it had."""
        self._end()
        with (self.directory / "chancery.toml").open("a") as file:
            file.write(configuration)
        self._start()

    def stop(self) -> int:
        """Ends the service as an operator would; returns its exit code."""
        try:
            return self._end()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _end(self) -> int:
        for channel in self._channels:
            channel.close()
        self._channels.clear()
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
        finally:
            self._reader.join(STOP_SECONDS)
            self._process.stdout.close()

    def chancery(self, *line: str | Path, client: str = "org1-auditor") -> str:
        """What our own command line prints for a client; it must succeed."""
        program = Path(os.environ["CHANCERYD"]).with_name("chancery")
        config = self.directory / "clients" / client / "client.toml"
        command = [program, "--config", config, *line]
        done = subprocess.run(command, capture_output=True, text=True, timeout=CLIENT_SECONDS)
        if done.returncode != 0:
            raise RuntimeError(f"chancery {line}: {done.returncode}: {done.stderr}")
        return done.stdout

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
