# Fuzz targets (libFuzzer). 'make fuzz' builds them by clang, whatever the rest is built by, with sanitizers and without the
# jail; scripts/test fuzz runs each for some seconds. One by hand, for as long as you like:
#   tests/fuzz/varlink -max_total_time=600 CORPUS-DIRECTORY SOURCE/tests/fuzz/seeds/varlink
FUZZ_TARGETS = config cron grpc_client grpc_server logs manifest merge_json merge_properties merge_toml merge_yaml netlink network nftables notify package report token varlink zone
FUZZ_SANITIZE = address,undefined
FUZZ_FLAGS = -g -O1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,$(FUZZ_SANITIZE) -fno-sanitize-recover=undefined
FUZZ_DEFINES = -DHAVE_CONFIG_H $(AM_CPPFLAGS) -I$(top_builddir)/src/lib -I$(srcdir)/tests/fuzz $(NETLINK_CFLAGS)
FUZZ_LIBS = $(SYSTEMD_LIBS) $(JANSSON_LIBS) $(INIH_LIBS) $(CAP_LIBS) $(PACKAGE_LIBS) $(GRPC_LIBS) $(SECCOMP_LIBS) $(NETLINK_LIBS) -lpthread
FUZZ_C = $(filter-out src/lib/http/%,$(filter %.c,$(libhostlet_a_SOURCES) $(nodist_libhostlet_a_SOURCES) $(libmanifest_a_SOURCES))) \
	src/net-keeper/actual.c src/net-keeper/changes.c src/net-keeper/ipv4.c src/net-keeper/map.c \
	src/net-keeper/netlink_error.c src/net-keeper/network_file.c src/net-keeper/nft_events.c \
	src/net-keeper/nft_ranges.c src/net-keeper/nft_table.c src/net-keeper/plan.c src/net-keeper/plan_device.c \
	src/net-keeper/records_text.c src/net-keeper/strings.c src/net-keeper/watch.c \
	src/rpc-gateway/agent_report.c src/rpc-gateway/problems.c src/rpc-gateway/zone_answer.c \
	src/rpc-gateway/zone_map.c $(filter %.c,$(INAGENT_CONFIG) $(INAGENT_NOTIFY))
FUZZ_CXX = $(filter %.cc,$(libmanifest_a_SOURCES))
FUZZ_OBJECTS = $(FUZZ_C:%.c=tests/fuzz/objects/%.o) $(FUZZ_CXX:%.cc=tests/fuzz/objects/%.o)

# Says whether this machine's clang can: for scripts/test.
fuzz-possible:
	@$(MKDIR_P) tests/fuzz && echo 'int LLVMFuzzerTestOneInput(const char *d, long n){return d && n < 0;}' | \
		clang -fsanitize=fuzzer,$(FUZZ_SANITIZE) -x c - -o tests/fuzz/possible && rm -f tests/fuzz/possible

fuzz: $(FUZZ_TARGETS:%=tests/fuzz/%)
$(FUZZ_TARGETS:%=tests/fuzz/%): tests/fuzz/%: tests/fuzz/objects/tests/fuzz/%.o $(FUZZ_OBJECTS)
	$(AM_V_CCLD)clang++ -fsanitize=fuzzer,$(FUZZ_SANITIZE) -o $@ $^ $(FUZZ_LIBS)
tests/fuzz/objects/%.o: %.c config.h | $(PROTO_MADE)
	$(AM_V_CC)$(MKDIR_P) $(@D) && clang -std=gnu11 $(WARNINGS) $(FUZZ_FLAGS) $(FUZZ_DEFINES) -c $< -o $@
# toml++ 3.3 takes places for unreachable that a letter such as "ü" outside of a string does reach, harmlessly.
tests/fuzz/objects/%.o: %.cc config.h
	$(AM_V_CXX)$(MKDIR_P) $(@D) && clang++ -std=c++17 $(CXXWARNINGS) $(FUZZ_FLAGS) -fno-sanitize=unreachable $(FUZZ_DEFINES) -c $< -o $@

# The same targets by this build's compiler and with its libraries, without libFuzzer: each reads files once. For
# scripts/coverage.
REPLAY_TARGETS = $(FUZZ_TARGETS:%=tests/fuzz/replay-%)
REPLAY_LIBS = libgateway.a libnetkeeper.a $(MANIFEST_LIBS) $(BASE_LIBS) $(PACKAGE_LIBS) $(GRPC_LIBS) $(SECCOMP_LIBS) $(NETLINK_LIBS) -lpthread
REPLAY_CONFIG = $(patsubst %.c,%.$(OBJEXT),$(filter %.c,$(INAGENT_CONFIG) $(INAGENT_NOTIFY)))
fuzz-replay: $(REPLAY_TARGETS)
$(REPLAY_TARGETS): tests/fuzz/replay-%: tests/fuzz/%.c tests/fuzz/replay.c $(REPLAY_CONFIG) libgateway.a libnetkeeper.a libmanifest.a libhostlet.a
	$(AM_V_CCLD)$(MKDIR_P) $(@D) && $(CC) -std=gnu11 $(WARNINGS) $(HARDENING) $(FUZZ_DEFINES) -c $< -o $@.o && \
		$(CC) -std=gnu11 $(WARNINGS) $(HARDENING) $(FUZZ_DEFINES) -c $(srcdir)/tests/fuzz/replay.c -o $@-main.o && \
		$(CXX) $(HARDENING) $(HARDENING_LD) -o $@ $@.o $@-main.o $(REPLAY_CONFIG) $(REPLAY_LIBS)

.PHONY: fuzz fuzz-possible fuzz-replay
EXTRA_DIST += tests/fuzz/fuzz.h tests/fuzz/merge.h tests/fuzz/net_model.h tests/fuzz/replay.c $(FUZZ_TARGETS:%=tests/fuzz/%.c) tests/fuzz/seeds
clean-local:
	rm -rf tests/fuzz/objects $(FUZZ_TARGETS:%=tests/fuzz/%) tests/fuzz/replay-*
