# tests/peers: programs of hostlet's libraries, for the integration tests against other implementations
noinst_PROGRAMS += grpc-peer
grpc_peer_SOURCES = tests/peers/grpc-peer.c
grpc_peer_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_builddir)/src/lib
grpc_peer_LDADD = $(BASE_LIBS) $(GRPC_LIBS)

# Attempts of a hostile tenant in a container. The program is static, so that it runs in any image.
TENANT_PROBE = tenant-probe
$(TENANT_PROBE): tests/peers/tenant-probe.c config.status
	$(AM_V_CCLD)$(MUSL_CC) -std=gnu11 $(WARNINGS) -D_GNU_SOURCE -O1 -static -o $@.tmp $(srcdir)/tests/peers/tenant-probe.c && mv $@.tmp $@
noinst_SCRIPTS += $(TENANT_PROBE)
CLEANFILES += $(TENANT_PROBE) $(TENANT_PROBE).tmp
EXTRA_DIST += tests/peers/tenant-probe.c

# A client of sd_notify(3), static for the same reason.
SD_NOTIFY = sd-notify
$(SD_NOTIFY): tests/peers/sd-notify.c config.status
	$(AM_V_CCLD)$(MUSL_CC) -std=gnu11 $(WARNINGS) -Wno-sign-compare -D_GNU_SOURCE -O1 -static -o $@.tmp $(srcdir)/tests/peers/sd-notify.c && mv $@.tmp $@
noinst_SCRIPTS += $(SD_NOTIFY)
CLEANFILES += $(SD_NOTIFY) $(SD_NOTIFY).tmp
EXTRA_DIST += tests/peers/sd-notify.c

# A library for LD_PRELOAD, which sets the wall clock of a tree (tests/lib/wall_clock.py).
WALL_CLOCK = wall-clock.so
$(WALL_CLOCK): tests/peers/wall-clock.c config.status
	$(AM_V_CCLD)$(CC) -std=gnu11 $(WARNINGS) -D_GNU_SOURCE -O1 -fPIC -shared -o $@.tmp $(srcdir)/tests/peers/wall-clock.c && mv $@.tmp $@
noinst_SCRIPTS += $(WALL_CLOCK)
CLEANFILES += $(WALL_CLOCK) $(WALL_CLOCK).tmp
EXTRA_DIST += tests/peers/wall-clock.c
