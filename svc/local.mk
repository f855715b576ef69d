# svc: a directory for each service. hostletd reads service.conf. The files run, finish and notification-fd are for s6 and runit;
# they differ only in the name of the service and are made in the build directory.
nobase_dist_pkgdata_DATA = \
	svc/container-driver/service.conf \
	svc/fetcher/service.conf \
	svc/net-keeper/service.conf \
	svc/provisioner/service.conf \
	svc/quota-keeper/service.conf \
	svc/reconciler/service.conf \
	svc/rpc-gateway/service.conf \
	svc/unpacker/service.conf
nobase_nodist_pkgdata_SCRIPTS = \
	$(nobase_dist_pkgdata_DATA:/service.conf=/run) \
	$(nobase_dist_pkgdata_DATA:/service.conf=/finish)
nobase_nodist_pkgdata_DATA = $(nobase_dist_pkgdata_DATA:/service.conf=/notification-fd)
EXTRA_DIST += svc/run.in svc/finish.in svc/hostlet.service.in
CLEANFILES += $(nobase_nodist_pkgdata_SCRIPTS) $(nobase_nodist_pkgdata_DATA)

SUBSTITUTE = $(SED) -e 's|@pkglibexecdir[@]|$(pkglibexecdir)|g' -e 's|@sbindir[@]|$(sbindir)|g'
$(nobase_nodist_pkgdata_SCRIPTS): svc/run.in svc/finish.in Makefile
	$(AM_V_GEN)folder=$(@D) && $(MKDIR_P) $$folder && \
	$(SUBSTITUTE) -e "s|@NAME[@]|$${folder#svc/}|g" $(srcdir)/svc/$(@F).in >$@.tmp && chmod 755 $@.tmp && mv $@.tmp $@
# The number of the descriptor on which a service reports to s6 that it is ready.
$(nobase_nodist_pkgdata_DATA): Makefile
	$(AM_V_GEN)$(MKDIR_P) $(@D) && echo 3 >$@

systemdsystemunit_DATA = svc/hostlet.service
CLEANFILES += svc/hostlet.service
svc/hostlet.service: svc/hostlet.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) svc && $(SUBSTITUTE) $(srcdir)/svc/hostlet.service.in >$@
