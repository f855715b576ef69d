# src/ctl: hostletctl, the administrator's command. Linked by the C++ compiler, for toml++.
sbin_PROGRAMS += hostletctl
hostletctl_SOURCES = \
	src/ctl/adopt.c src/ctl/adopt.h \
	src/ctl/apply.c src/ctl/apply.h \
	src/ctl/apps.c src/ctl/apps.h \
	src/ctl/call.c src/ctl/call.h \
	src/ctl/commands.c src/ctl/commands.h \
	src/ctl/ctl.h \
	src/ctl/deletions.c src/ctl/deletions.h \
	src/ctl/describe.c src/ctl/describe.h \
	src/ctl/enable.c src/ctl/enable.h \
	src/ctl/follow.c src/ctl/follow.h \
	src/ctl/import.c src/ctl/import.h \
	src/ctl/import_settings.c src/ctl/import_settings.h \
	src/ctl/limit.c src/ctl/limit.h \
	src/ctl/inventory.c src/ctl/inventory.h \
	src/ctl/inventory_print.c src/ctl/inventory_print.h \
	src/ctl/log_source.c src/ctl/log_source.h \
	src/ctl/logs.c src/ctl/logs.h \
	src/ctl/main.c \
	src/ctl/options.c src/ctl/options.h \
	src/ctl/original.c src/ctl/original.h \
	src/ctl/original_replica.c src/ctl/original_replica.h \
	src/ctl/output.c src/ctl/output.h \
	src/ctl/package.c src/ctl/package.h \
	src/ctl/quota.c src/ctl/quota.h \
	src/ctl/progress.c src/ctl/progress.h \
	src/ctl/services.c src/ctl/services.h \
	src/ctl/status.c src/ctl/status.h \
	src/ctl/table.c src/ctl/table.h \
	src/ctl/task_run.c src/ctl/task_run.h \
	src/ctl/tasks.c src/ctl/tasks.h \
	src/ctl/wait.c src/ctl/wait.h \
	src/ctl/status_zone.c src/ctl/status_zone.h \
	src/ctl/zone.c src/ctl/zone.h \
	src/ctl/zone_engine.c src/ctl/zone_engine.h \
	src/ctl/zone_network.c src/ctl/zone_network.h
nodist_EXTRA_hostletctl_SOURCES = dummy.cc
hostletctl_LDADD = $(MANIFEST_LIBS) $(BASE_LIBS) $(PACKAGE_LIBS) -lpthread
