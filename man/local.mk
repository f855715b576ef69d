# Manual pages in scdoc, one line per page; tests/integration/documents/test_documents.py compares the list with the programs.
# Without scdoc there are none.
manual_pages =
manual_pages += man/fetcher.8
manual_pages += man/container-driver.8
manual_pages += man/hostlet.7
manual_pages += man/hostlet-manifest.5
manual_pages += man/hostlet-original.7
manual_pages += man/hostlet-package.5
manual_pages += man/hostlet.conf.5
manual_pages += man/hostletctl.8
manual_pages += man/hostletd.8
manual_pages += man/inagent.8
manual_pages += man/net-keeper.8
manual_pages += man/provisioner.8
manual_pages += man/quota-keeper.8
manual_pages += man/reconciler.8
manual_pages += man/rpc-gateway.8
manual_pages += man/service.conf.5
manual_pages += man/unpacker.8

EXTRA_DIST += $(manual_pages:=.scd)
if HAVE_SCDOC
nodist_man_MANS += $(manual_pages)
CLEANFILES += $(manual_pages)
$(manual_pages): %: %.scd
	$(AM_V_GEN)$(MKDIR_P) man && $(SCDOC) <$< >$@.tmp && mv $@.tmp $@
endif
