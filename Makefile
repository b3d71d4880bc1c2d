# SPDX-License-Identifier: GPL-2.0
# `make help` lists what can be made. Kbuild, beside this file, is the kernel's side of the module.

FLAVOURS := $(shell sed -n 's/^KERNEL_FLAVOURS=//p' scripts/versions)
FLAVOUR ?= $(FLAVOURS)
CARGO ?= cargo
OUT := $(CURDIR)/target
TESTS := CARGO_TARGET_DIR=$(OUT)/tests $(CARGO)

# Where `make install` puts things; KDIR installs for that tree's kernel, else the running one's.
DESTDIR ?=
PREFIX ?= /usr/local

.PHONY: all
all: module userspace  ## the module for every packaged kernel flavour, and the tool (default)

.PHONY: help
help:  ## this list
	@awk -F ':.*## *' '/^[a-z0-9-]+:.*##/ { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo '  FLAVOUR=NAME   only that kernel flavour ($(FLAVOURS))'
	@echo '  KDIR=DIR       build the module against a kernel tree of your own instead'
	@echo '  CASES=TEXT     only virtual machine cases whose name has TEXT in it'
	@echo '  EVERY_PAIR=0   pairs with the C module, and long cases, by turns, as CI has them'

.PHONY: deps
deps:  ## install what this machine lacks (says first what and why)
	@scripts/install-deps

.PHONY: module
ifdef KDIR
module:  ## tandem.ko, into target/module/FLAVOUR/
	@scripts/module-build --kdir '$(KDIR)'
else
module: $(addprefix module-,$(FLAVOUR))
endif

.PHONY: $(addprefix module-,$(FLAVOURS))
$(addprefix module-,$(FLAVOURS)): module-%: | deps-build
	@scripts/module-build $*

.PHONY: module-debug
module-debug: | deps-build  ## tandem.ko for the debug kernel, which is built first (20 minutes, once)
	@scripts/module-build debug

.PHONY: deps-build
deps-build:
	@scripts/install-deps build

.PHONY: userspace
userspace:  ## the tool tandem, into target/release/
	CARGO_TARGET_DIR=$(OUT) $(CARGO) build --release --manifest-path userspace/Cargo.toml

.PHONY: userspace-185
userspace-185: | deps-build  ## the tool again, with Debian 13's own cargo (1.85)
	scripts/room-cargo build --release --manifest-path userspace/Cargo.toml

.PHONY: harness
harness:
	$(TESTS) build --release --manifest-path tests/Cargo.toml -p vm -p cases -p live-fuzz -p demo \
		-p bench -p replay -p sim -p endure -p chaos

.PHONY: guest
guest: deps  ## the image and the kernel that virtual machines boot
	@scripts/guest-image >/dev/null

.PHONY: guest-database
guest-database: deps
	@scripts/guest-image database >/dev/null

# With EVERY_PAIR=0, pairs of drivers that have the C module come by turns, and long cases.
EVERY_PAIR ?= 1
PAIRS = $(if $(filter 0,$(EVERY_PAIR)),--by-turns)
# New seeds of the simulator, and power cuts, in each `make test`.
NEW_SEEDS ?= 20000
NEW_CUTS ?= 20

# The images that are needed.
GUESTS = guest
test endure: GUESTS += guest-database

# What tests run on: its halves need nothing of each other, and each often does not compute.
.PHONY: ready
ready: deps
	@$(MAKE) --no-print-directory module-cloud-amd64 $(GUESTS) & beside=$$!; \
	$(MAKE) --no-print-directory userspace harness; status=$$?; wait $$beside && exit $$status

.PHONY: test
test: ready  ## everything: cargo tests, the cost of a write, the cases in virtual machines, and some power cuts
	$(OUT)/tests/release/cases --cargo --cost --seeds $(NEW_SEEDS) --cuts $(NEW_CUTS) $(PAIRS) $(CASES)

.PHONY: cases
cases: ready  ## only the cases in virtual machines (CASES=...)
	$(OUT)/tests/release/cases $(PAIRS) $(CASES)

# Both are long: no part of `make test`.
.PHONY: alike
alike: ready  ## all commands on our module and on the C module, alone and connected: the same answers
	$(OUT)/tests/release/cases alike connected_nodes_tell

.PHONY: chaos-commands
chaos-commands: ready  ## commands at random from many processes, links flap, disks fail: nothing hangs (5 minutes)
	CHAOS_SECONDS=300 $(OUT)/tests/release/cases commands_never_hang

.PHONY: record
record: ready  ## records the engine in two machines and replays it here
	$(OUT)/tests/release/cases --pairs tandem-tandem recorded_run_replays_in_userspace
	$(OUT)/tests/release/replay $(OUT)/record/a.trace $(OUT)/record/b.trace

.PHONY: test-debug
test-debug: EVERY_PAIR = 0
test-debug: deps module-debug userspace harness guest  ## the cases on a kernel with all checkers on (CASES=... LEAKS=1)
	$(OUT)/tests/release/cases --kernel debug $(if $(LEAKS),--leaks) $(PAIRS) $(CASES)

.PHONY: demo
demo:  ## two machines, one disk, a power cut: the story on your terminal
	@scripts/demo

.PHONY: ha
ha: deps module-cloud-amd64 userspace
	$(TESTS) build --release --manifest-path tests/Cargo.toml -p ha
	@scripts/guest-image cluster >/dev/null

.PHONY: demo-ha
demo-ha: ha  ## a mail server on two machines, and seven mischiefs that it survives (20 minutes)
	TANDEM_REPOSITORY=$(CURDIR) $(OUT)/tests/release/ha $(HA)

# STORIES is part of the names that `target/tests/release/ha --list` prints; ROUNDS repeats them.
ROUNDS ?= 1
.PHONY: test-ha
test-ha: ha  ## the same as a test (STORIES="power-cut all-links" ROUNDS=20)
	TANDEM_REPOSITORY=$(CURDIR) $(OUT)/tests/release/ha --verdict test-ha --rounds $(ROUNDS) $(HA) $(STORIES)

.PHONY: bench
bench: deps module-cloud-amd64 userspace harness guest  ## speed beside the C module; target/bench.json
	$(OUT)/tests/release/bench $(BENCH)

.PHONY: bench-check
bench-check: ready  ## its short form: instructions of our module beside tests/bench/figures.toml
	$(OUT)/tests/release/bench check

.PHONY: bench-figures
bench-figures: ready  ## writes tests/bench/figures.toml, to be committed with what made it better
	$(OUT)/tests/release/bench check --commit-figures

.PHONY: bench-plot
bench-plot: harness  ## draws Documentation/bench.svg from target/bench.json
	$(OUT)/tests/release/bench plot

.PHONY: sim
sim:  ## the engine under simulated faults (SEEDS=n START=first; SEED=one tells its story)
	$(TESTS) run --release --manifest-path tests/Cargo.toml -p sim -- \
		$(if $(SEED),--seed $(SEED),$(addprefix --seeds ,$(SEEDS)) $(addprefix --start ,$(START))) $(SIM)

.PHONY: sim-mutants
sim-mutants:  ## faults planted in the engine: the simulator has to find each (MUTANTS=TEXT)
	$(TESTS) run --release --manifest-path tests/Cargo.toml -p mutants -- $(MUTANTS)

# TARGET is one of the folders in tests/fuzz/corpus; `scripts/fuzz --keep TARGET` keeps what it found.
MINUTES ?= 10
.PHONY: fuzz
fuzz: deps  ## one parser under libFuzzer (TARGET=NAME MINUTES=10)
	@[ -n '$(TARGET)' ] || { echo 'make fuzz TARGET=NAME:' $(notdir $(wildcard tests/fuzz/corpus/*)); exit 2; }
	@scripts/fuzz '$(TARGET)' $$(( $(MINUTES) * 60 ))

# KERNEL=stock is quicker and sees less; SEED=n repeats one session or message.
KERNEL ?= debug
FUZZ_ORDER = --kernel $(KERNEL) --minutes $(MINUTES) $(addprefix --seed ,$(SEED)) \
	$(addprefix --start ,$(START)) $(LIVE)
.PHONY: fuzz-ready
fuzz-ready: deps userspace harness guest $(if $(filter debug,$(KERNEL)),module-debug,module-cloud-amd64)

.PHONY: fuzz-wire
fuzz-wire: fuzz-ready  ## a peer that lies to a running module (SESSIONS=n MINUTES=10 KERNEL=debug SEED=n)
	$(OUT)/tests/release/live-fuzz wire $(addprefix --count ,$(SESSIONS)) $(FUZZ_ORDER)

.PHONY: fuzz-netlink
fuzz-netlink: fuzz-ready  ## a tool that lies, as root and as nobody (MESSAGES=n MINUTES=10 SEED=n)
	$(OUT)/tests/release/live-fuzz netlink $(addprefix --count ,$(MESSAGES)) $(FUZZ_ORDER)

# SEED=n draws others, START=n goes on where a run was stopped; CUTS=1 START=n is one cut again.
CUTS ?= 1000
.PHONY: endure
endure: ready  ## power cuts under load, disks that forget (CUTS=n START=n SEED=n)
	$(OUT)/tests/release/endure --cuts $(CUTS) \
		$(addprefix --start ,$(START)) $(addprefix --seed ,$(SEED)) $(ENDURE)

# As `endure`: SEED=n draws others, START=n goes on; MINUTES=1 START=n is one round again.
.PHONY: chaos
chaos: ready  ## faults of all kinds at once; after each minute all comes to rest, equal (MINUTES=10 START=n SEED=n)
	$(OUT)/tests/release/chaos --minutes $(MINUTES) \
		$(addprefix --start ,$(START)) $(addprefix --seed ,$(SEED)) $(CHAOS)

.PHONY: fmt
fmt:  ## rustfmt over everything
	rustfmt --config-path .rustfmt.toml module/tandem_main.rs
	$(CARGO) fmt --all --manifest-path userspace/Cargo.toml
	$(CARGO) fmt --all --manifest-path tests/Cargo.toml

.PHONY: lint
lint: | deps-build  ## formatting, clippy on both halves, the tool with Rust 1.85
	rustfmt --check --config-path .rustfmt.toml module/tandem_main.rs
	$(CARGO) fmt --all --check --manifest-path userspace/Cargo.toml
	$(CARGO) fmt --all --check --manifest-path tests/Cargo.toml
	CARGO_TARGET_DIR=$(OUT) $(CARGO) clippy --all-targets --manifest-path userspace/Cargo.toml -- -D warnings
	$(TESTS) clippy --all-targets --manifest-path tests/Cargo.toml -- -D warnings
	scripts/module-lint
	$(MAKE) userspace-185

.PHONY: tidy
tidy:  ## the style ratchet
	$(TESTS) run --release --manifest-path tests/Cargo.toml -p tidy

.PHONY: install
install:  ## module, tool and manual, for KDIR's kernel or the running one (DRBD_NAMES=yes: as drbdadm ..., too)
	@DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' KDIR='$(KDIR)' DRBD_NAMES='$(DRBD_NAMES)' scripts/install

.PHONY: uninstall
uninstall:  ## the way back
	@DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' KDIR='$(KDIR)' scripts/install --remove

.PHONY: clean
clean:  ## what was built here (the cache of rooms and images stays)
	rm -rf target

.PHONY: distclean
distclean: clean  ## and the cache of rooms, kernel trees and images
	scripts/cache-clean
