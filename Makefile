# pagefs. `make help` lists what can be made; V=1 shows the commands.

# ---- choices ---------------------------------------------------------------------------------
ifeq ($(origin CC),default)
CC      := gcc
endif
AR      ?= ar
SAN     ?=
WERROR  ?=
PREFIX  ?= /usr/local
DESTDIR ?=
# How many tests run at the same time, and a part of the names of those to run (empty: all).
JOBS    ?= $(shell nproc)
TESTS   ?=
ifeq ($(MAKELEVEL)$(filter -j%,$(MAKEFLAGS)),0)
MAKEFLAGS += -j$(JOBS)
endif
ifneq ($(filter clean,$(MAKECMDGOALS)),)
.NOTPARALLEL:
endif
# Seconds that each target is fuzzed by `make fuzz`, and the length of `make soak`.
FUZZ_SECONDS ?= 60
SOAK_MINUTES ?= 30

# ---- packages of Debian 12 and Ubuntu 24.04, all in one place ----------------------------------
BUILD_PACKAGES := gcc libc6-dev make pkg-config libfuse3-dev libzstd-dev libjansson-dev \
    libxxhash-dev libssl-dev fuse3 mount util-linux
QUICKSTART_PACKAGES := $(BUILD_PACKAGES) postgresql procps
TEST_PACKAGES := $(BUILD_PACKAGES) clang clang-format libclang-rt-dev libcmocka-dev perl python3 \
    mandoc shellcheck jq git rsync attr acl sqlite3 e2fsprogs procps postgresql postgresql-contrib
BENCH_PACKAGES := $(QUICKSTART_PACKAGES) python3 fio jq e2fsprogs xfsprogs btrfs-progs

# ---- where things go: one directory for each compiler and sanitizer ----------------------------
comma  := ,
empty  :=
space  := $(empty) $(empty)
CONFIG := $(notdir $(firstword $(CC)))-$(if $(SAN),$(subst $(comma),-,$(SAN)),release)
BUILD  ?= build
OUT    := $(BUILD)/$(CONFIG)
BIN    := $(OUT)/bin
LIB    := $(OUT)/libpagefs.a
# What tests share; of it a test gets the files that it needs.
TESTLIB := $(OUT)/libtest.a

# ---- sources -----------------------------------------------------------------------------------
ROOMS    := base wal consensus objstore fs/pages fs/tree fs/mount
LIB_SRC  := $(sort $(wildcard $(ROOMS:%=%/*.c)))
PROGRAMS := $(patsubst tools/%.c,%,$(wildcard tools/pagefs.c tools/mount.pagefs.c tools/pagefs-*.c))
CMD_SRC  := $(sort $(wildcard tools/cmd_*.c))
MAN      := $(sort $(wildcard man/*.[1-9]))

TESTLIB_SRC := $(sort $(wildcard tests/lib/*.c))
SIM_SRC     := $(sort $(wildcard tests/sim/sim_*.c))
SIMLIB_SRC  := $(filter-out $(SIM_SRC),$(sort $(wildcard tests/sim/*.c)))
UNIT_SRC    := $(sort $(wildcard tests/unit/test_*.c))
FUZZ_SRC    := $(sort $(wildcard tests/fuzz/fuzz_*.c))
TOOL_SRC    := $(sort $(wildcard tests/tools/*.c))
SH_TESTS    := $(sort $(wildcard tests/sh/*.t))
# Shell tests that also run under the sanitizers say so in a line of their own.
SAN_SH_TESTS := $(if $(SH_TESTS),$(shell grep -lx '\# sanitizers: yes' $(SH_TESTS)))
ALL_SRC     := $(LIB_SRC) $(PROGRAMS:%=tools/%.c) $(CMD_SRC) $(TESTLIB_SRC) $(SIM_SRC) \
    $(SIMLIB_SRC) $(UNIT_SRC) $(FUZZ_SRC) $(TOOL_SRC)

obj = $(patsubst %.c,$(OUT)/obj/%.o,$(1))
bin = $(patsubst %.c,$(OUT)/%,$(1))

UNIT_BIN := $(call bin,$(UNIT_SRC))
SIM_BIN  := $(call bin,$(SIM_SRC))
FUZZ_BIN := $(call bin,$(FUZZ_SRC))
TOOL_BIN := $(call bin,$(TOOL_SRC))
# mkfs.pagefs and fsck.pagefs are pagefs under another name.
NAMES    := mkfs.pagefs fsck.pagefs
BINS     := $(PROGRAMS:%=$(BIN)/%) $(if $(filter pagefs,$(PROGRAMS)),$(NAMES:%=$(BIN)/%))

# ---- flags -------------------------------------------------------------------------------------
# A library is asked for only if a source includes its header.
INCLUDERS := $(LIB_SRC) $(wildcard $(ROOMS:%=%/*.h)) $(CMD_SRC) $(PROGRAMS:%=tools/%.c)
uses = $(if $(INCLUDERS),$(shell grep -lE '^.include <($(1))' $(INCLUDERS) | head -n1))
PKGS = $(if $(call uses,fuse),fuse3) $(if $(call uses,zstd),libzstd) \
    $(if $(call uses,jansson),jansson) $(if $(call uses,xxh),libxxhash) \
    $(if $(call uses,openssl/),libcrypto)
# Asked once, and only by a target that compiles: `make install-deps` must work without pkg-config.
ask = $(eval $(1) := $(if $(3),$(shell pkg-config $(2) $(3))))$($(1))
PKG_LIST   = $(eval PKG_LIST := $(strip $(PKGS)))$(PKG_LIST)
PKG_CFLAGS = $(call ask,PKG_CFLAGS,--cflags,$(PKG_LIST))
PKG_LIBS   = $(call ask,PKG_LIBS,--libs,$(PKG_LIST))
TEST_LIBS  = $(call ask,TEST_LIBS,--libs,cmocka)

CFLAGS   ?= -O2 -g
WARNINGS := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes
# libFuzzer brings a main() of its own, so only the fuzz targets may be linked with it.
FUZZING  := $(filter fuzzer,$(subst $(comma),$(space),$(SAN)))
SAN_CC   := $(if $(SAN),-fsanitize=$(subst fuzzer,fuzzer-no-link,$(SAN)) \
    -fno-sanitize-recover=all -fno-omit-frame-pointer)
SAN_LINK := $(if $(SAN),-fsanitize=$(SAN))
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE $(WARNINGS) $(if $(WERROR),-Werror) $(CFLAGS) -pthread \
    $(SAN_CC) -I. $(PKG_CFLAGS) $(CPPFLAGS)
LINK = $(CC) $(CFLAGS) -pthread $(subst fuzzer,fuzzer-no-link,$(SAN_LINK)) -Wl,--as-needed $(LDFLAGS)

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' $(1) $(2))

# ---- build -------------------------------------------------------------------------------------
.PHONY: all help tests FORCE
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:

all: $(BINS) ## build the programs into build/COMPILER-release/bin

tests: $(UNIT_BIN) $(SIM_BIN) $(FUZZ_BIN) $(TOOL_BIN) ## build the test programs

# Files that are rewritten only when what they say changes. Every object hangs on the flags, the
# libraries on the list of their sources: one that was removed must leave them.
say_in = mkdir -p $(@D) && { echo '$(1)' | cmp -s - $@ || echo '$(1)' > $@; }

$(OUT)/flags: FORCE
	@if test -n '$(PKG_LIST)' && ! pkg-config --exists --print-errors $(PKG_LIST); then \
	    echo 'A library is missing: sudo make install-deps' >&2; exit 1; fi
	@$(call say_in,$(CC) $(ALL_CFLAGS))

$(OUT)/sources: FORCE
	@$(call say_in,$(LIB_SRC) $(TESTLIB_SRC))

$(OUT)/obj/%.o: %.c $(OUT)/flags
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(LIB): $(call obj,$(LIB_SRC))
$(TESTLIB): $(call obj,$(TESTLIB_SRC))
$(LIB) $(TESTLIB): $(OUT)/sources
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $(filter %.o,$^)

$(BIN)/pagefs: $(call obj,$(CMD_SRC))
$(PROGRAMS:%=$(BIN)/%): $(BIN)/%: $(OUT)/obj/tools/%.o $(LIB)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $(filter %.o,$^) $(LIB) $(PKG_LIBS)

$(NAMES:%=$(BIN)/%): $(BIN)/pagefs
	$(Q)ln -sf pagefs $@

$(UNIT_BIN) $(SIM_BIN) $(TOOL_BIN): $(OUT)/%: $(OUT)/obj/%.o $(TESTLIB) $(LIB)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(LINK) -o $@ $(filter %.o,$^) $(TESTLIB) $(LIB) $(PKG_LIBS) $(TEST_LIBS)

$(SIM_BIN): $(call obj,$(SIMLIB_SRC))

$(FUZZ_BIN): $(OUT)/%: $(OUT)/obj/%.o $(if $(FUZZING),,$(OUT)/obj/tests/fuzz/driver.o) $(LIB)
	@mkdir -p $(@D)
	$(call say,LINK,$@)
	$(Q)$(if $(FUZZING),$(CC) $(CFLAGS) -pthread $(SAN_LINK),$(LINK)) -o $@ \
	    $(filter %.o,$^) $(LIB) $(PKG_LIBS)

-include $(patsubst %.c,$(OUT)/obj/%.d,$(ALL_SRC) tests/fuzz/driver.c)

# ---- tests -------------------------------------------------------------------------------------
.PHONY: unit sim fuzz-replay sh check check-run check-san check-san-run lint format fuzz fuzz-run \
    soak

# Those of $(1) with $(TESTS) in their names.
chosen = $(strip $(if $(TESTS),$(foreach t,$(1),$(if $(findstring $(TESTS),$(t)),$(t))),$(1)))
TEST_ENV = PAGEFS_BIN='$(abspath $(BIN))' PAGEFS_TEST_TOOLS='$(abspath $(OUT)/tests/tools)' \
    SAN='$(SAN)' TEST_LOGS='$(OUT)/logs'
PROVE  = $(TEST_ENV) prove --timer --jobs $(JOBS) --exec tests/run-one
prove  = $(if $(call chosen,$(1)),$(Q)$(PROVE) $(call chosen,$(1)),@echo 'no test to run')

unit: $(UNIT_BIN) ## unit tests
	$(call prove,$(UNIT_BIN))

sim: $(SIM_BIN) ## simulations with seeds (SEED=n replays one)
	$(call prove,$(SIM_BIN))

fuzz-replay: $(FUZZ_BIN) ## the fuzz targets on their stored inputs
	$(call prove,$(FUZZ_BIN))

sh: all $(TOOL_BIN) ## shell tests: real mounts, real Postgres (as root)
	$(call prove,$(SH_TESTS))

check: ## all tests; as root it installs what they need first
	@if test "$$(id -u)" = 0; then $(MAKE) --no-print-directory install-test-deps; fi
	@$(MAKE) --no-print-directory check-run

check-run: all tests
	$(call prove,$(UNIT_BIN) $(SIM_BIN) $(FUZZ_BIN) $(SH_TESTS))

check-san: ## the tests under AddressSanitizer with UBSan, then under ThreadSanitizer
	@$(MAKE) --no-print-directory check-san-run SAN=address,undefined
	@$(MAKE) --no-print-directory check-san-run SAN=thread

check-san-run: all tests
	$(call prove,$(UNIT_BIN) $(SIM_BIN) $(FUZZ_BIN) $(SAN_SH_TESTS))

lint: ## include order, style, manual pages, shell scripts
	tests/lint/includes.sh
	tests/lint/style.sh
	tests/lint/docs.sh

format: ## lay out the C sources with clang-format 14 (FILES=... for some of them)
	clang-format -i $(or $(FILES),$(wildcard $(ROOMS:%=%/*.[ch]) tools/*.[ch] tests/*/*.[ch]))

fuzz: ## fuzz each target for FUZZ_SECONDS with libFuzzer (clang)
	@$(MAKE) --no-print-directory CC=clang SAN=fuzzer,address,undefined fuzz-run

# New inputs are kept in the build directory; what is worth keeping is copied to tests/fuzz/corpus.
fuzz-run: $(FUZZ_BIN)
	@set -e; for f in $(call chosen,$(FUZZ_BIN)); do \
	    t=$${f##*/fuzz_}; new=$(OUT)/corpus/$$t; old=tests/fuzz/corpus/$$t; mkdir -p $$new; \
	    echo "== $$t"; \
	    $$f -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
	        -artifact_prefix=$$new- $$new $$(test ! -d $$old || echo $$old); \
	done

soak: all tests ## simulations and crash tests with new seeds for SOAK_MINUTES
	SOAK_MINUTES=$(SOAK_MINUTES) $(TEST_ENV) tests/soak.sh $(SIM_BIN) $(SH_TESTS)

# ---- to see it -----------------------------------------------------------------------------------
.PHONY: quickstart quickstart-stop bench

quickstart: ## Postgres on pagefs, killed and brought back, in two minutes (as root)
	@$(MAKE) --no-print-directory install-packages PACKAGES='$(QUICKSTART_PACKAGES)'
	@$(MAKE) --no-print-directory all
	@PAGEFS_BIN='$(abspath $(BIN))' tools/quickstart.sh start

quickstart-stop: ## stop what quickstart left running, and remove it
	@PAGEFS_BIN='$(abspath $(BIN))' tools/quickstart.sh stop

bench: ## a table of ratios against the same disk's ext4, xfs and btrfs (as root)
	@$(MAKE) --no-print-directory install-packages PACKAGES='$(BENCH_PACKAGES)'
	@$(MAKE) --no-print-directory all $(TOOL_BIN)
	@$(TEST_ENV) tests/bench/run.sh $(BENCH_ARGS)

# ---- installation --------------------------------------------------------------------------------
.PHONY: install uninstall install-deps install-test-deps install-packages clean

install-deps: ## apt: what it takes to build and run
	@tools/install-packages.sh $(BUILD_PACKAGES)

install-test-deps: ## apt: what it takes to run the tests
	@tools/install-packages.sh $(TEST_PACKAGES)

install-packages:
	@tools/install-packages.sh $(PACKAGES)

BINDIR  := $(DESTDIR)$(PREFIX)/bin
SBINDIR := $(DESTDIR)$(PREFIX)/sbin
MANDIR  := $(DESTDIR)$(PREFIX)/share/man
# mount(8) looks for mount.TYPE in /sbin alone, which is /usr/sbin wherever /usr is merged. A prefix
# elsewhere gets a link from there; HELPERDIR= (empty) leaves it out.
HELPERDIR ?= $(if $(filter /usr/sbin,$(realpath /sbin)),/usr/sbin,/sbin)
HELPER    := $(if $(filter-out $(PREFIX)/sbin,$(HELPERDIR)),$(DESTDIR)$(HELPERDIR)/mount.pagefs)
# What is mounted has the type fuse.pagefs: this is the name that `mount -o remount` looks for.
REMOUNT   := $(if $(HELPERDIR),$(DESTDIR)$(HELPERDIR)/mount.fuse.pagefs)

install: all ## install below PREFIX (/usr/local); DESTDIR stages
	install -d $(BINDIR) $(SBINDIR) $(if $(HELPERDIR),$(DESTDIR)$(HELPERDIR)) \
	    $(sort $(foreach m,$(MAN),$(MANDIR)/man$(subst .,,$(suffix $(m)))))
	install -m 755 $(filter-out %/mount.pagefs,$(PROGRAMS:%=$(BIN)/%)) $(BINDIR)
	install -m 755 $(BIN)/mount.pagefs $(SBINDIR)
	$(foreach n,$(NAMES),ln -sf ../bin/pagefs $(SBINDIR)/$(n) &&) true
	$(if $(HELPER),ln -sf $(PREFIX)/sbin/mount.pagefs $(HELPER))
	$(if $(REMOUNT),ln -sf $(PREFIX)/sbin/mount.pagefs $(REMOUNT))
	$(foreach m,$(MAN),install -m 644 $(m) $(MANDIR)/man$(subst .,,$(suffix $(m))) &&) true

uninstall: ## remove what install put there
	rm -f $(patsubst %,$(BINDIR)/%,$(filter-out mount.pagefs,$(PROGRAMS))) \
	    $(SBINDIR)/mount.pagefs $(NAMES:%=$(SBINDIR)/%) $(HELPER) $(REMOUNT) \
	    $(foreach m,$(MAN),$(MANDIR)/man$(subst .,,$(suffix $(m)))/$(notdir $(m)))

clean: ## remove the build directory
	rm -rf $(BUILD)

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo '  CC=clang  SAN=address,undefined|thread  WERROR=1  V=1  JOBS=n  TESTS=part-of-a-name'
	@echo '  PREFIX=/usr/local  DESTDIR=  BUILD=build  FUZZ_SECONDS=n  SOAK_MINUTES=n'
