# src/net-keeper
pkglibexec_PROGRAMS += net-keeper
noinst_LIBRARIES += libnetkeeper.a
libnetkeeper_a_CPPFLAGS = $(AM_CPPFLAGS) $(NETLINK_CFLAGS)
libnetkeeper_a_SOURCES = \
	src/net-keeper/masquerade.c src/net-keeper/masquerade.h \
	src/net-keeper/network_file.c src/net-keeper/network_file.h \
	src/net-keeper/nft_events.c src/net-keeper/nft_events.h \
	src/net-keeper/nft_library.c src/net-keeper/nft_library.h \
	src/net-keeper/nft_ranges.c src/net-keeper/nft_ranges.h \
	src/net-keeper/nft_table.c src/net-keeper/nft_table.h \
	src/net-keeper/records.c src/net-keeper/records.h \
	src/net-keeper/records_text.c src/net-keeper/records_text.h
net_keeper_CPPFLAGS = $(libnetkeeper_a_CPPFLAGS)
net_keeper_SOURCES = \
	src/net-keeper/main.c \
	src/net-keeper/manager.c src/net-keeper/manager.h \
	src/net-keeper/methods.c src/net-keeper/methods.h
net_keeper_LDADD = libnetkeeper.a $(BASE_LIBS) $(NETLINK_LIBS) -lpthread

if UNIT_TESTS
check_PROGRAMS += tests/unit/test_nft_table tests/unit/test_records
TESTS += tests/unit/test_nft_table tests/unit/test_records
tests_unit_test_nft_table_SOURCES = tests/unit/test_nft_table.c
tests_unit_test_nft_table_LDADD = libnetkeeper.a $(UNIT_LIBS)
tests_unit_test_records_SOURCES = tests/unit/test_records.c
tests_unit_test_records_LDADD = libnetkeeper.a $(UNIT_LIBS)
endif
