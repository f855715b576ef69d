# src/inagent: process 1 of containers. It runs in any image, so it is one static binary, built with musl independent of the
# other programs: its sources are compiled without AM_CFLAGS, the sanitizers and the C library's headers.
# configure adds the one for arm64 if the cross compiler is there, for runtimes of that architecture.
INAGENT = inagent-linux-$(HOSTLET_ARCH)
INAGENTS = $(INAGENT)
if INAGENT_ARM64
INAGENTS += inagent-linux-arm64
endif

# The formats of configuration files, which the fuzz targets use, too.
INAGENT_CONFIG = \
	src/inagent/config/document.c src/inagent/config/document.h \
	src/inagent/config/json.c src/inagent/config/json.h \
	src/inagent/config/merge.c src/inagent/config/merge.h \
	src/inagent/config/properties.c src/inagent/config/properties.h \
	src/inagent/config/toml.c src/inagent/config/toml.h \
	src/inagent/config/toml_read.c src/inagent/config/toml_read.h \
	src/inagent/config/toml_scan.c src/inagent/config/toml_scan.h \
	src/inagent/config/yaml.c src/inagent/config/yaml.h \
	src/inagent/config/yaml_read.c src/inagent/config/yaml_read.h \
	src/inagent/config/yaml_scan.c src/inagent/config/yaml_scan.h

# The messages of applications, which a fuzz target uses, too.
INAGENT_NOTIFY = \
	src/inagent/notify_message.c src/inagent/notify_message.h \
	src/inagent/notify_state.c src/inagent/notify_state.h

# The parts that use neither processes nor the container are compiled a second time, by the host's compiler, for the unit tests.
INAGENT_PURE = $(INAGENT_CONFIG) $(INAGENT_NOTIFY) \
	src/inagent/depends.c src/inagent/depends.h \
	src/inagent/plan.c src/inagent/plan.h \
	src/inagent/post.c src/inagent/post.h \
	src/inagent/report.c src/inagent/report.h \
	src/inagent/report_time.c src/inagent/report_time.h \
	src/inagent/request.c src/inagent/request.h \
	src/inagent/schedule.c src/inagent/schedule.h \
	src/inagent/setup.c src/inagent/setup.h \
	src/inagent/spec.c src/inagent/spec.h \
	src/inagent/splitter.c src/inagent/splitter.h \
	src/inagent/stages.c src/inagent/stages.h \
	src/inagent/task_report.c src/inagent/task_report.h \
	src/inagent/task_state.c src/inagent/task_state.h \
	src/inagent/tasks.h \
	src/inagent/template.c src/inagent/template.h \
	src/inagent/users.c src/inagent/users.h \
	src/inagent/variables.c src/inagent/variables.h

INAGENT_OWN = \
	src/inagent/commands.c src/inagent/commands.h \
	src/inagent/copy.c src/inagent/copy.h \
	src/inagent/daemon.c src/inagent/daemon.h \
	src/inagent/ending.c src/inagent/ending.h \
	src/inagent/environment.c src/inagent/environment.h \
	src/inagent/home.c src/inagent/home.h \
	src/inagent/main.c \
	src/inagent/main_task.c src/inagent/main_task.h \
	src/inagent/musl/linux/openat2.h \
	src/inagent/musl/shims.c src/inagent/musl/shims.h \
	src/inagent/notify_socket.c src/inagent/notify_socket.h \
	src/inagent/output.c src/inagent/output.h \
	src/inagent/request_file.c src/inagent/request_file.h \
	src/inagent/run.c src/inagent/run.h \
	src/inagent/shutdown.c src/inagent/shutdown.h \
	src/inagent/state_file.c src/inagent/state_file.h \
	src/inagent/task_file.c src/inagent/task_file.h \
	src/inagent/wall_timer.c src/inagent/wall_timer.h \
	src/inagent/watch.c src/inagent/watch.h \
	src/inagent/zones.c src/inagent/zones.h

# The shared sources that can be compiled with musl; the linker drops their unused functions.
INAGENT_SHARED = \
	$(LIB_CRON) \
	src/lib/basic/cleanup.h \
	src/lib/basic/error.c src/lib/basic/error.h \
	src/lib/basic/fs.c src/lib/basic/fs.h \
	src/lib/basic/log.c src/lib/basic/log.h \
	src/lib/basic/printable.c src/lib/basic/printable.h \
	src/lib/basic/util.c src/lib/basic/util.h \
	src/lib/logs/label.c src/lib/logs/label.h

INAGENT_FILES = $(INAGENT_PURE) $(INAGENT_OWN) $(INAGENT_SHARED)

# musl has no fortified functions, and musl-gcc's start files are not those of a static PIE; the other hardening options stay.
# jansson's two headers are copied into a directory of their own, because their directory also contains the C library's.
INAGENT_COMPILE = -std=gnu11 $(WARNINGS) -Os -fstack-protector-strong -fstack-clash-protection \
	-ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables
INAGENT_PREPROCESS = -D_GNU_SOURCE -DINAGENT_VERSION='"$(PACKAGE_VERSION)"' \
	-include $(srcdir)/src/inagent/musl/shims.h -I$(srcdir)/src -I$(srcdir)/src/inagent/musl -Isrc/inagent/include
INAGENT_LINK = -static -s -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--gc-sections
# Pages of arm64 may have 64 KiB, to which relro pads the file; musl applies it to no static program.
INAGENT_LINK_ARM64 = -Wl,-z,norelro

INAGENT_INCLUDED = src/inagent/include/jansson.h src/inagent/include/jansson_config.h

$(INAGENT_INCLUDED): config.status
	$(AM_V_GEN)$(MKDIR_P) $(@D) && cp "$(JANSSON_INCLUDEDIR)/$(@F)" $@

$(INAGENTS): $(INAGENT_FILES) $(INAGENT_INCLUDED) config.status
	$(AM_V_CCLD)case $@ in \
	  $(INAGENT)) compiler="$(MUSL_CC)" library="$(JANSSON_LIBDIR)/libjansson.a" more= ;; \
	  *) compiler="$(MUSL_CC_ARM64)" library="$(JANSSON_ARM64)" more="$(INAGENT_LINK_ARM64)" ;; \
	esac && sources= && for file in $(INAGENT_FILES); do \
	  case $$file in *.c) sources="$$sources $(srcdir)/$$file" ;; esac; \
	done && \
	$$compiler $(INAGENT_PREPROCESS) $(INAGENT_COMPILE) $(INAGENT_LINK) $$more -o $@.tmp $$sources "$$library" && mv $@.tmp $@

pkglibexec_SCRIPTS += $(INAGENTS)
CLEANFILES += $(INAGENTS) $(INAGENTS:=.tmp) $(INAGENT_INCLUDED)
EXTRA_DIST += $(INAGENT_OWN) $(INAGENT_PURE)

# The entrypoint, which the provisioner puts beside it.
inagentdir = $(pkgdatadir)
dist_inagent_DATA = src/inagent/ininit

if UNIT_TESTS
check_PROGRAMS += tests/unit/test_inagent tests/unit/test_inagent_output
TESTS += tests/unit/test_inagent tests/unit/test_inagent_output
tests_unit_test_inagent_SOURCES = tests/unit/test_inagent.c $(INAGENT_PURE)
tests_unit_test_inagent_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_inagent_request
TESTS += tests/unit/test_inagent_request
tests_unit_test_inagent_request_SOURCES = tests/unit/test_inagent_request.c $(INAGENT_PURE)
tests_unit_test_inagent_request_LDADD = $(UNIT_LIBS)
tests_unit_test_inagent_output_SOURCES = tests/unit/test_inagent_output.c $(INAGENT_PURE)
tests_unit_test_inagent_output_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_inagent_report
TESTS += tests/unit/test_inagent_report
tests_unit_test_inagent_report_SOURCES = tests/unit/test_inagent_report.c $(INAGENT_PURE)
tests_unit_test_inagent_report_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_inagent_schedule
TESTS += tests/unit/test_inagent_schedule
tests_unit_test_inagent_schedule_SOURCES = tests/unit/test_inagent_schedule.c $(INAGENT_PURE)
tests_unit_test_inagent_schedule_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_inagent_notify
TESTS += tests/unit/test_inagent_notify
tests_unit_test_inagent_notify_SOURCES = tests/unit/test_inagent_notify.c $(INAGENT_PURE)
tests_unit_test_inagent_notify_LDADD = $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_inagent_config
TESTS += tests/unit/test_inagent_config
tests_unit_test_inagent_config_SOURCES = tests/unit/test_inagent_config.c $(INAGENT_PURE)
tests_unit_test_inagent_config_LDADD = $(UNIT_LIBS)
endif
