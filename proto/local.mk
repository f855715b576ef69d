# proto: the interfaces as files, made from their declarations by hostletctl. "make update-proto" writes them into the source;
# "make check" (and so continuous integration) fails when the committed ones are others.
PROTO_INTERFACES = io.hostlet io.hostlet.Supervisor io.hostlet.Reconciler io.hostlet.Fetcher io.hostlet.Unpacker \
	io.hostlet.Provisioner io.hostlet.QuotaKeeper io.hostlet.ContainerDriver io.hostlet.NetKeeper \
	io.hostlet.RpcGateway

EXTRA_DIST += proto/REFERENCE.md proto/compare proto/io.hostlet.varlink proto/io.hostlet.Supervisor.varlink \
	proto/io.hostlet.Reconciler.varlink proto/io.hostlet.Fetcher.varlink proto/io.hostlet.Unpacker.varlink \
	proto/io.hostlet.Provisioner.varlink proto/io.hostlet.QuotaKeeper.varlink proto/io.hostlet.ContainerDriver.varlink \
	proto/io.hostlet.NetKeeper.varlink proto/io.hostlet.RpcGateway.varlink

.PHONY: update-proto
update-proto: hostletctl$(EXEEXT)
	@set -e; for name in $(PROTO_INTERFACES); do \
		./hostletctl$(EXEEXT) describe $$name > $(top_srcdir)/proto/$$name.varlink; \
	done; ./hostletctl$(EXEEXT) describe --reference > $(top_srcdir)/proto/REFERENCE.md

TESTS += proto/compare
AM_TESTS_ENVIRONMENT = PROTO_INTERFACES='$(PROTO_INTERFACES)'; export PROTO_INTERFACES;
