# Chancery: what people and CI type. `make` alone lists it.
#
# One target folder and one profile (dev) for tests and demo, and one build command for both: with the same features
# chosen every time, nothing is compiled twice.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# A shell that never read the profile rustup edited still finds cargo.
export PATH := $(PATH):$(HOME)/.cargo/bin

PREFIX ?= /usr/local
DESTDIR ?=
# Seconds for each fuzz target.
FUZZ_SECONDS ?= 60

.PHONY: help
help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## The main job, start to finish, on a throw-away deployment
	@scripts/setup.sh demo
	@$(MAKE) build
	@scripts/demo.sh

.PHONY: test
test: ## Lint, then every test; ends with a table of all suites
	@scripts/setup.sh test
	@$(MAKE) lint
	@$(MAKE) build
	@scripts/test.sh

.PHONY: crash-matrix
crash-matrix: ## 5,000 kills and losses of power, 500 of the whole service (docs/reliability.md; an hour or so)
	@scripts/setup.sh test
	@$(MAKE) build
	CRASH_MATRIX_LOG_KILLS=4500 CRASH_MATRIX_SERVICE_KILLS=500 CRASH_MATRIX_MINUTES=150 \
		cargo test --workspace --test crash_matrix -- --exact matrix::what_was_released_is_in_the_log_after_every_crash

.PHONY: pkcs11-soak
pkcs11-soak: ## Ten minutes of kills under clients of the PKCS#11 module (PKCS11_SOAK_SECONDS=600)
	@scripts/setup.sh test
	@$(MAKE) build
	PKCS11_SOAK_SECONDS=$(or $(PKCS11_SOAK_SECONDS),600) cargo test --workspace --test pkcs11_crash -- --nocapture

.PHONY: bench
bench: ## Benchmarks beside their bare baselines; writes target/bench/report.json
	@scripts/setup.sh bench
	cargo build --release --workspace --bins
	cargo bench --package chancery --bench '*'

.PHONY: scale
scale: ## 100,000 ENCLAVE and 1,000 TOKEN keys: making, listing, signing, start and memory (some ten minutes)
	@scripts/setup.sh bench
	cargo build --release --workspace --bins
	@scripts/scale.sh

.PHONY: lint
lint: ## Formatting, clippy, scripts, and what the dependency tree may hold
	cargo fmt --all -- --check
	cargo clippy --workspace --all-targets -- -D warnings
	@scripts/lint-scripts.sh
	@scripts/deny.sh

.PHONY: advisories
advisories: ## Known vulnerabilities in the dependency tree (fetches the RustSec database)
	@scripts/deny.sh advisories

.PHONY: fuzz
fuzz: ## Every fuzz target for FUZZ_SECONDS (needs nightly Rust and cargo-fuzz)
	@scripts/fuzz.sh $(FUZZ_SECONDS)

.PHONY: build
build: ## Binaries and tests, dev profile, into target/debug
	cargo build --workspace --all-targets

# chanceryd starts the chancery-enclave that lies beside it.
.PHONY: install
install: ## Release binaries, the PKCS#11 module and policies under PREFIX (default /usr/local)
	cargo build --release --workspace --bins --lib
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib $(DESTDIR)$(PREFIX)/share/chancery/policies
	install -m 0755 $(addprefix $(or $(CARGO_TARGET_DIR),target)/release/,chanceryd chancery-enclave chancery) $(DESTDIR)$(PREFIX)/bin/
	install -m 0644 $(or $(CARGO_TARGET_DIR),target)/release/libchancery_pkcs11.so $(DESTDIR)$(PREFIX)/lib/
	install -m 0644 policies/*.cedar* $(DESTDIR)$(PREFIX)/share/chancery/policies/

.PHONY: musl
musl: ## The PKCS#11 module for hosts on musl (needs musl-tools and Rust's x86_64-unknown-linux-musl target)
	@scripts/musl.sh --release

.PHONY: clean
clean: ## Everything that was built (a deployment in .chancery/ stays: it has keys)
	cargo clean
