# src/net-keeper
pkglibexec_PROGRAMS += net-keeper
noinst_LIBRARIES += libnetkeeper.a
libnetkeeper_a_CPPFLAGS = $(AM_CPPFLAGS) $(NETLINK_CFLAGS)
libnetkeeper_a_SOURCES = \
	src/net-keeper/actual.c src/net-keeper/actual.h \
	src/net-keeper/changes.c src/net-keeper/changes.h \
	src/net-keeper/damp.c src/net-keeper/damp.h \
	src/net-keeper/ipv4.c src/net-keeper/ipv4.h \
	src/net-keeper/map.c src/net-keeper/map.h \
	src/net-keeper/masquerade.c src/net-keeper/masquerade.h \
	src/net-keeper/netlink_error.c src/net-keeper/netlink_error.h \
	src/net-keeper/network_file.c src/net-keeper/network_file.h \
	src/net-keeper/nft_events.c src/net-keeper/nft_events.h \
	src/net-keeper/nft_library.c src/net-keeper/nft_library.h \
	src/net-keeper/nft_ranges.c src/net-keeper/nft_ranges.h \
	src/net-keeper/nft_table.c src/net-keeper/nft_table.h \
	src/net-keeper/plan.c src/net-keeper/plan.h \
	src/net-keeper/plan_device.c src/net-keeper/plan_device.h \
	src/net-keeper/records.c src/net-keeper/records.h \
	src/net-keeper/records_text.c src/net-keeper/records_text.h \
	src/net-keeper/strings.c src/net-keeper/strings.h \
	src/net-keeper/watch.c src/net-keeper/watch.h
net_keeper_CPPFLAGS = $(libnetkeeper_a_CPPFLAGS)
net_keeper_SOURCES = \
	src/net-keeper/keep.c src/net-keeper/keep.h \
	src/net-keeper/kernel.c src/net-keeper/kernel.h \
	src/net-keeper/main.c \
	src/net-keeper/manager.c src/net-keeper/manager.h \
	src/net-keeper/methods.c src/net-keeper/methods.h \
	src/net-keeper/ping.c src/net-keeper/ping.h
net_keeper_LDADD = libnetkeeper.a $(BASE_LIBS) $(SECCOMP_LIBS) $(NETLINK_LIBS) -lpthread

if UNIT_TESTS
check_PROGRAMS += tests/unit/test_net_messages tests/unit/test_net_plan tests/unit/test_nft_table tests/unit/test_records
TESTS += tests/unit/test_net_messages tests/unit/test_net_plan tests/unit/test_nft_table tests/unit/test_records
tests_unit_test_net_messages_SOURCES = tests/unit/test_net_messages.c
tests_unit_test_net_messages_CPPFLAGS = $(libnetkeeper_a_CPPFLAGS)
tests_unit_test_net_messages_LDADD = libnetkeeper.a $(UNIT_LIBS) $(NETLINK_LIBS)
tests_unit_test_net_plan_SOURCES = tests/unit/test_net_plan.c
tests_unit_test_net_plan_LDADD = libnetkeeper.a $(UNIT_LIBS) $(NETLINK_LIBS)
tests_unit_test_nft_table_SOURCES = tests/unit/test_nft_table.c
tests_unit_test_nft_table_LDADD = libnetkeeper.a $(UNIT_LIBS)
tests_unit_test_records_SOURCES = tests/unit/test_records.c
tests_unit_test_records_LDADD = libnetkeeper.a $(UNIT_LIBS)
endif
