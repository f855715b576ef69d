# tests/peers: our libraries as programs, for the integration tests against other implementations
noinst_PROGRAMS += grpc-peer
grpc_peer_SOURCES = tests/peers/grpc-peer.c
grpc_peer_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_builddir)/src/lib
grpc_peer_LDADD = $(BASE_LIBS) $(GRPC_LIBS)
