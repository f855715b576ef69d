pkglibexec_PROGRAMS += reconciler
noinst_LIBRARIES += libreconciler.a
libreconciler_a_SOURCES = \
	src/reconciler/engine/call.c \
	src/reconciler/engine/call.h \
	src/reconciler/engine/copy.c \
	src/reconciler/engine/copy.h \
	src/reconciler/engine/data.c \
	src/reconciler/engine/data.h \
	src/reconciler/engine/exits.c \
	src/reconciler/engine/exits.h \
	src/reconciler/engine/files.c \
	src/reconciler/engine/files.h \
	src/reconciler/engine/journal.c \
	src/reconciler/engine/journal.h \
	src/reconciler/engine/limits.c \
	src/reconciler/engine/limits.h \
	src/reconciler/engine/observe.c \
	src/reconciler/engine/observe.h \
	src/reconciler/engine/prepare.c \
	src/reconciler/engine/prepare.h \
	src/reconciler/engine/prepare_network.c \
	src/reconciler/engine/prepare_network.h \
	src/reconciler/engine/quota.c \
	src/reconciler/engine/quota.h \
	src/reconciler/engine/release.c \
	src/reconciler/engine/release.h \
	src/reconciler/engine/renamed.c \
	src/reconciler/engine/renamed.h \
	src/reconciler/engine/replica.c \
	src/reconciler/engine/replica.h \
	src/reconciler/engine/steps.c \
	src/reconciler/engine/steps.h \
	src/reconciler/engine/target.c \
	src/reconciler/engine/target.h \
	src/reconciler/engine/timeouts.h \
	src/reconciler/engine/turn.c \
	src/reconciler/engine/turn.h \
	src/reconciler/engine/waits.c \
	src/reconciler/engine/waits.h \
	src/reconciler/face/agent.c \
	src/reconciler/face/agent.h \
	src/reconciler/face/agent_tasks.c \
	src/reconciler/face/agent_tasks.h \
	src/reconciler/face/agent_text.c \
	src/reconciler/face/agent_text.h \
	src/reconciler/face/apply.c \
	src/reconciler/face/apply.h \
	src/reconciler/face/apply_call.c \
	src/reconciler/face/apply_call.h \
	src/reconciler/face/directory.c \
	src/reconciler/face/directory.h \
	src/reconciler/face/directory_files.c \
	src/reconciler/face/directory_files.h \
	src/reconciler/face/directory_watch.c \
	src/reconciler/face/directory_watch.h \
	src/reconciler/face/host_addresses.c \
	src/reconciler/face/host_addresses.h \
	src/reconciler/face/host_ports.c \
	src/reconciler/face/host_ports.h \
	src/reconciler/face/listeners.c \
	src/reconciler/face/listeners.h \
	src/reconciler/face/manifest_queue.c \
	src/reconciler/face/manifest_queue.h \
	src/reconciler/face/methods.c \
	src/reconciler/face/methods.h \
	src/reconciler/face/outlook.c \
	src/reconciler/face/outlook.h \
	src/reconciler/face/planning.c \
	src/reconciler/face/planning.h \
	src/reconciler/face/report.c \
	src/reconciler/face/report.h \
	src/reconciler/face/run_task.c \
	src/reconciler/face/run_task.h \
	src/reconciler/face/zone.c \
	src/reconciler/face/zone.h \
	src/reconciler/face/zone_follow.c \
	src/reconciler/face/zone_follow.h \
	src/reconciler/face/zone_network.c \
	src/reconciler/face/zone_network.h \
	src/reconciler/manager.c \
	src/reconciler/manager.h \
	src/reconciler/model/agent.c \
	src/reconciler/model/agent.h \
	src/reconciler/model/facts.c \
	src/reconciler/model/facts.h \
	src/reconciler/model/instance.c \
	src/reconciler/model/instance.h \
	src/reconciler/model/outside.c \
	src/reconciler/model/outside.h \
	src/reconciler/model/record.c \
	src/reconciler/model/record.h \
	src/reconciler/model/secret.c \
	src/reconciler/model/secret.h \
	src/reconciler/model/settings.c \
	src/reconciler/model/settings.h \
	src/reconciler/model/stages.c \
	src/reconciler/model/stages.h \
	src/reconciler/model/store.c \
	src/reconciler/model/store.h \
	src/reconciler/model/unreadable.c \
	src/reconciler/model/unreadable.h \
	src/reconciler/model/wish.c \
	src/reconciler/model/wish.h \
	src/reconciler/outside.c \
	src/reconciler/outside.h \
	src/reconciler/rules/anonymous.c \
	src/reconciler/rules/anonymous.h \
	src/reconciler/rules/conflict.c \
	src/reconciler/rules/conflict.h \
	src/reconciler/rules/crash.c \
	src/reconciler/rules/crash.h \
	src/reconciler/rules/decide.c \
	src/reconciler/rules/decide.h \
	src/reconciler/rules/drift.c \
	src/reconciler/rules/drift.h \
	src/reconciler/rules/exit_reason.c \
	src/reconciler/rules/exit_reason.h \
	src/reconciler/rules/limits.c \
	src/reconciler/rules/limits.h \
	src/reconciler/rules/plan.c \
	src/reconciler/rules/plan.h \
	src/reconciler/rules/plan_ports.c \
	src/reconciler/rules/plan_ports.h \
	src/reconciler/rules/ports.c \
	src/reconciler/rules/ports.h \
	src/reconciler/rules/readiness.c \
	src/reconciler/rules/readiness.h \
	src/reconciler/rules/rollout.c \
	src/reconciler/rules/rollout.h \
	src/reconciler/rules/uptime.c \
	src/reconciler/rules/uptime.h \
	src/reconciler/rules/zone_order.c \
	src/reconciler/rules/zone_order.h
reconciler_SOURCES = src/reconciler/main.c
reconciler_LDADD = libreconciler.a $(BASE_LIBS)

# What the tests of the rules link with, to prove that rules need neither the engine nor an event loop.
noinst_LIBRARIES += librules.a
librules_a_SOURCES = \
	src/reconciler/rules/anonymous.c \
	src/reconciler/model/record.c \
	src/reconciler/rules/conflict.c \
	src/reconciler/rules/crash.c \
	src/reconciler/rules/decide.c \
	src/reconciler/rules/drift.c \
	src/reconciler/rules/exit_reason.c \
	src/reconciler/rules/plan.c \
	src/reconciler/rules/plan_ports.c \
	src/reconciler/rules/ports.c \
	src/reconciler/rules/rollout.c \
	src/reconciler/rules/uptime.c \
	src/reconciler/rules/zone_order.c

if UNIT_TESTS
check_PROGRAMS += tests/unit/test_decide
TESTS += tests/unit/test_decide
tests_unit_test_decide_SOURCES = tests/unit/test_decide.c
tests_unit_test_decide_LDADD = librules.a $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_rollout
TESTS += tests/unit/test_rollout
tests_unit_test_rollout_SOURCES = tests/unit/test_rollout.c
tests_unit_test_rollout_LDADD = librules.a $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_crash
TESTS += tests/unit/test_crash
tests_unit_test_crash_SOURCES = tests/unit/test_crash.c
tests_unit_test_crash_LDADD = librules.a $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_anonymous
TESTS += tests/unit/test_anonymous
tests_unit_test_anonymous_SOURCES = tests/unit/test_anonymous.c
tests_unit_test_anonymous_LDADD = librules.a $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_drift
TESTS += tests/unit/test_drift
tests_unit_test_drift_SOURCES = tests/unit/test_drift.c
tests_unit_test_drift_LDADD = librules.a $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_ports tests/unit/test_plan
TESTS += tests/unit/test_ports tests/unit/test_plan
tests_unit_test_ports_SOURCES = tests/unit/test_ports.c
tests_unit_test_ports_LDADD = librules.a $(UNIT_LIBS)
tests_unit_test_plan_SOURCES = tests/unit/test_plan.c
tests_unit_test_plan_LDADD = librules.a $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_plan_memory
TESTS += tests/unit/test_plan_memory
tests_unit_test_plan_memory_SOURCES = tests/unit/test_plan_memory.c
tests_unit_test_plan_memory_LDADD = librules.a $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_listeners
TESTS += tests/unit/test_listeners
tests_unit_test_listeners_SOURCES = tests/unit/test_listeners.c
tests_unit_test_listeners_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=socket
tests_unit_test_listeners_LDADD = libreconciler.a $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_zone_order
TESTS += tests/unit/test_zone_order
tests_unit_test_zone_order_SOURCES = tests/unit/test_zone_order.c
tests_unit_test_zone_order_LDADD = librules.a $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_engine tests/unit/test_engine_interim
TESTS += tests/unit/test_engine tests/unit/test_engine_interim
ENGINE_WORLD = tests/unit/engine_world.c tests/unit/engine_world.h tests/unit/simulated_clock.c tests/unit/simulated_clock.h
tests_unit_test_engine_SOURCES = tests/unit/test_engine.c $(ENGINE_WORLD)
tests_unit_test_engine_LDADD = libreconciler.a $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_agent
TESTS += tests/unit/test_agent
tests_unit_test_agent_SOURCES = tests/unit/test_agent.c $(ENGINE_WORLD)
tests_unit_test_agent_LDADD = libreconciler.a $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_engine_ready
TESTS += tests/unit/test_engine_ready
tests_unit_test_engine_ready_SOURCES = tests/unit/test_engine_ready.c $(ENGINE_WORLD)
tests_unit_test_engine_ready_LDADD = libreconciler.a $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_engine_limits
TESTS += tests/unit/test_engine_limits
tests_unit_test_engine_limits_SOURCES = tests/unit/test_engine_limits.c $(ENGINE_WORLD)
tests_unit_test_engine_limits_LDADD = libreconciler.a $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_engine_time
TESTS += tests/unit/test_engine_time
tests_unit_test_engine_time_SOURCES = tests/unit/test_engine_time.c $(ENGINE_WORLD)
tests_unit_test_engine_time_LDADD = libreconciler.a $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_engine_stages
TESTS += tests/unit/test_engine_stages
tests_unit_test_engine_stages_SOURCES = tests/unit/test_engine_stages.c $(ENGINE_WORLD)
tests_unit_test_engine_stages_LDADD = libreconciler.a $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_outlook
TESTS += tests/unit/test_outlook
tests_unit_test_outlook_SOURCES = tests/unit/test_outlook.c $(ENGINE_WORLD)
tests_unit_test_outlook_LDADD = libreconciler.a $(UNIT_LIBS)
tests_unit_test_engine_interim_SOURCES = tests/unit/test_engine_interim.c $(ENGINE_WORLD)
tests_unit_test_engine_interim_LDADD = libreconciler.a $(UNIT_LIBS)
endif
