# src/net-keeper
pkglibexec_PROGRAMS += net-keeper
noinst_LIBRARIES += libnetkeeper.a
libnetkeeper_a_CPPFLAGS = $(AM_CPPFLAGS) $(NETLINK_CFLAGS)
libnetkeeper_a_SOURCES = \
	src/net-keeper/network_file.c src/net-keeper/network_file.h
net_keeper_CPPFLAGS = $(libnetkeeper_a_CPPFLAGS)
net_keeper_SOURCES = \
	src/net-keeper/main.c \
	src/net-keeper/manager.c src/net-keeper/manager.h \
	src/net-keeper/methods.c src/net-keeper/methods.h
net_keeper_LDADD = libnetkeeper.a $(BASE_LIBS) $(NETLINK_LIBS) -lpthread
