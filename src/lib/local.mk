# Everything that two or more processes share. One archive: a program takes from it only the objects that it uses, so
# that the libraries behind the others (libcurl, libarchive, …) are linked only where they are needed.
noinst_LIBRARIES += libhostlet.a
libhostlet_a_SOURCES = \
	src/lib/basic/arguments.c src/lib/basic/arguments.h \
	src/lib/basic/cleanup.h \
	src/lib/basic/error.c src/lib/basic/error.h \
	src/lib/basic/failpoint.c src/lib/basic/failpoint.h \
	src/lib/basic/fs.c src/lib/basic/fs.h \
	src/lib/basic/hash.c src/lib/basic/hash.h \
	src/lib/basic/lock.c src/lib/basic/lock.h \
	src/lib/basic/log.c src/lib/basic/log.h \
	src/lib/basic/printable.c src/lib/basic/printable.h \
	src/lib/basic/remove_tree.c src/lib/basic/remove_tree.h \
	src/lib/basic/util.c src/lib/basic/util.h \
	src/lib/schema/object.c src/lib/schema/object.h \
	src/lib/schema/pack.c src/lib/schema/pack.h \
	src/lib/schema/parse.c src/lib/schema/parse.h \
	src/lib/schema/schema.h \
	src/lib/varlink/client.c src/lib/varlink/client.h \
	src/lib/varlink/client-sync.c src/lib/varlink/client-sync.h \
	src/lib/varlink/describe.c src/lib/varlink/describe.h \
	src/lib/varlink/dispatch.c src/lib/varlink/dispatch.h \
	src/lib/varlink/interface.c src/lib/varlink/interface.h \
	src/lib/varlink/follow.c src/lib/varlink/follow.h \
	src/lib/varlink/server.c src/lib/varlink/server.h src/lib/varlink/server-types.h \
	src/lib/varlink/stream.c src/lib/varlink/stream.h \
	src/lib/varlink/unix.c src/lib/varlink/unix.h \
	src/lib/config/config.c src/lib/config/config.h src/lib/config/ini.c src/lib/config/ini.h \
	src/lib/config/keys.c src/lib/config/value.c src/lib/config/value.h \
	src/lib/app-path/app_path.c src/lib/app-path/app_path.h \
	src/lib/loop/clock.c src/lib/loop/clock.h \
	src/lib/loop/path_watch.c src/lib/loop/path_watch.h \
	src/lib/loop/retry.c src/lib/loop/retry.h \
	src/lib/loop/timer.c src/lib/loop/timer.h \
	src/lib/loop/wall_guard.c src/lib/loop/wall_guard.h \
	src/lib/loop/work.c src/lib/loop/work.h \
	src/lib/mounts/mountinfo.c src/lib/mounts/mountinfo.h \
	src/lib/paths/tree.c src/lib/paths/tree.h \
	src/lib/peer/peer.c src/lib/peer/peer.h src/lib/peer/places.c src/lib/peer/places.h \
	src/lib/topology/listen.c src/lib/topology/listen.h src/lib/topology/topology.c src/lib/topology/topology.h \
	src/lib/service/filter.c src/lib/service/filter.h \
	src/lib/service/lock.c src/lib/service/lock.h \
	src/lib/service/file_watch.c src/lib/service/file_watch.h \
	src/lib/service/jail.c src/lib/service/jail.h src/lib/service/service.c src/lib/service/service.h \
	src/lib/service/sockets.c src/lib/service/sockets.h \
	src/lib/api/app.c src/lib/api/app.h \
	src/lib/api/container_driver.c src/lib/api/container_driver.h \
	src/lib/api/declare.h \
	src/lib/api/fetcher.c src/lib/api/fetcher.h \
	src/lib/api/net_keeper.c src/lib/api/net_keeper.h \
	src/lib/api/package.c src/lib/api/package.h \
	src/lib/api/provisioner.c src/lib/api/provisioner.h \
	src/lib/api/quota_keeper.c src/lib/api/quota_keeper.h \
	src/lib/api/reconciler.c src/lib/api/reconciler.h \
	src/lib/api/rpc_gateway.c src/lib/api/rpc_gateway.h \
	src/lib/api/supervisor.c src/lib/api/supervisor.h \
	src/lib/api/unpacker.c src/lib/api/unpacker.h
libhostlet_a_CPPFLAGS = $(AM_CPPFLAGS) $(CURL_CFLAGS) $(ARCHIVE_CFLAGS) $(LZMA_CFLAGS) $(CRYPTO_CFLAGS) $(SECCOMP_CFLAGS) \
	-I$(top_builddir)/src/lib $(NGHTTP2_CFLAGS) $(PROTOBUF_C_CFLAGS)

if COVERAGE
libhostlet_a_SOURCES += src/lib/basic/coverage.c
endif

include src/lib/package/local.mk
include src/lib/http/local.mk
include src/lib/inapi/local.mk
include src/lib/grpc/local.mk
include src/lib/manifest/local.mk
include src/lib/app/local.mk
include src/lib/cron/local.mk
include src/lib/logs/local.mk
include src/lib/zone/local.mk

if UNIT_TESTS
check_PROGRAMS += tests/unit/test_filter
TESTS += tests/unit/test_filter
tests_unit_test_filter_SOURCES = tests/unit/test_filter.c
tests_unit_test_filter_LDADD = $(UNIT_LIBS) $(SECCOMP_LIBS) -lpthread
check_PROGRAMS += tests/unit/test_printable
TESTS += tests/unit/test_printable
tests_unit_test_printable_SOURCES = tests/unit/test_printable.c
tests_unit_test_printable_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_follow
TESTS += tests/unit/test_follow
tests_unit_test_follow_SOURCES = tests/unit/test_follow.c tests/unit/simulated_clock.c tests/unit/simulated_clock.h
tests_unit_test_follow_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_varlink_limits
TESTS += tests/unit/test_varlink_limits
tests_unit_test_varlink_limits_SOURCES = tests/unit/test_varlink_limits.c
tests_unit_test_varlink_limits_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_hash
TESTS += tests/unit/test_hash
tests_unit_test_hash_SOURCES = tests/unit/test_hash.c
tests_unit_test_hash_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_loop
TESTS += tests/unit/test_loop
tests_unit_test_loop_SOURCES = tests/unit/test_loop.c tests/unit/simulated_clock.c tests/unit/simulated_clock.h
tests_unit_test_loop_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_wall_guard
TESTS += tests/unit/test_wall_guard
tests_unit_test_wall_guard_SOURCES = tests/unit/test_wall_guard.c tests/unit/simulated_clock.c tests/unit/simulated_clock.h
tests_unit_test_wall_guard_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_work
TESTS += tests/unit/test_work
tests_unit_test_work_SOURCES = tests/unit/test_work.c
tests_unit_test_work_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=pthread_create
tests_unit_test_work_LDADD = $(UNIT_LIBS) -lpthread
check_PROGRAMS += tests/unit/test_lock
TESTS += tests/unit/test_lock
tests_unit_test_lock_SOURCES = tests/unit/test_lock.c
tests_unit_test_lock_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_remove_tree
TESTS += tests/unit/test_remove_tree
tests_unit_test_remove_tree_SOURCES = tests/unit/test_remove_tree.c
tests_unit_test_remove_tree_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_schema tests/unit/test_config tests/unit/test_varlink
TESTS += tests/unit/test_schema tests/unit/test_config tests/unit/test_varlink
tests_unit_test_schema_SOURCES = tests/unit/test_schema.c
tests_unit_test_schema_LDADD = $(UNIT_LIBS)
tests_unit_test_config_SOURCES = tests/unit/test_config.c
tests_unit_test_config_LDADD = $(UNIT_LIBS)
tests_unit_test_varlink_SOURCES = tests/unit/test_varlink.c
tests_unit_test_varlink_LDADD = $(UNIT_LIBS)
endif
