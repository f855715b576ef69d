# svc: a directory for each service. hostletd reads service.conf; run, finish and notification-fd are for s6 and runit.
service_names = container-driver fetcher provisioner quota-keeper reconciler rpc-gateway unpacker
service_data = \
	svc/container-driver/service.conf svc/container-driver/notification-fd \
	svc/fetcher/service.conf svc/fetcher/notification-fd \
	svc/provisioner/service.conf svc/provisioner/notification-fd \
	svc/quota-keeper/service.conf svc/quota-keeper/notification-fd \
	svc/reconciler/service.conf svc/reconciler/notification-fd \
	svc/rpc-gateway/service.conf svc/rpc-gateway/notification-fd \
	svc/unpacker/service.conf svc/unpacker/notification-fd
service_scripts = \
	svc/container-driver/run svc/container-driver/finish \
	svc/fetcher/run svc/fetcher/finish \
	svc/provisioner/run svc/provisioner/finish \
	svc/quota-keeper/run svc/quota-keeper/finish \
	svc/reconciler/run svc/reconciler/finish \
	svc/rpc-gateway/run svc/rpc-gateway/finish \
	svc/unpacker/run svc/unpacker/finish
nobase_dist_pkgdata_DATA = $(service_data)
EXTRA_DIST += $(service_scripts) svc/hostlet.service.in

# In the source they find the programs by $HOSTLET_LIBEXEC; installed they know where these lie. They cannot be made into
# the build directory, which may be the source.
SUBSTITUTE = $(SED) -e 's|@pkglibexecdir[@]|$(pkglibexecdir)|g' -e 's|@sbindir[@]|$(sbindir)|g'
install-data-hook:
	@for script in $(service_scripts); do \
		to="$(DESTDIR)$(pkgdatadir)/$$script"; \
		echo " installing $$to"; \
		$(MKDIR_P) "$${to%/*}" && $(SUBSTITUTE) "$(srcdir)/$$script" >"$$to" && chmod 755 "$$to" || exit 1; \
	done
uninstall-hook:
	@for script in $(service_scripts); do rm -f "$(DESTDIR)$(pkgdatadir)/$$script"; done

systemdsystemunit_DATA = svc/hostlet.service
CLEANFILES += svc/hostlet.service
svc/hostlet.service: svc/hostlet.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) svc && $(SUBSTITUTE) $(srcdir)/svc/hostlet.service.in >$@
