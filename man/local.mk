# Manual pages in scdoc: each component adds its own line. Without scdoc there are none.
manual_pages =
manual_pages += man/inagent.8

EXTRA_DIST += $(manual_pages:=.scd)
if HAVE_SCDOC
nodist_man_MANS += $(manual_pages)
CLEANFILES += $(manual_pages)
$(manual_pages): %: %.scd
	$(AM_V_GEN)$(MKDIR_P) man && $(SCDOC) <$< >$@.tmp && mv $@.tmp $@
endif
