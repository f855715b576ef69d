# src/rpc-gateway: everything but main.c in an archive of its own, for the unit tests
noinst_LIBRARIES += libgateway.a
libgateway_a_SOURCES = \
	src/rpc-gateway/agent_peer.c src/rpc-gateway/agent_peer.h \
	src/rpc-gateway/agents.c src/rpc-gateway/agents.h \
	src/rpc-gateway/agent_report.c src/rpc-gateway/agent_report.h \
	src/rpc-gateway/call_stats.c src/rpc-gateway/call_stats.h \
	src/rpc-gateway/calls.c src/rpc-gateway/calls.h \
	src/rpc-gateway/deliver.c src/rpc-gateway/deliver.h \
	src/rpc-gateway/deliver_instances.c src/rpc-gateway/deliver_instances.h \
	src/rpc-gateway/deliver_known.c src/rpc-gateway/deliver_known.h \
	src/rpc-gateway/deliver_network.c src/rpc-gateway/deliver_network.h \
	src/rpc-gateway/histogram.c src/rpc-gateway/histogram.h \
	src/rpc-gateway/host_address.c src/rpc-gateway/host_address.h \
	src/rpc-gateway/host_address_watch.c src/rpc-gateway/host_address_watch.h \
	src/rpc-gateway/host_message.c src/rpc-gateway/host_message.h \
	src/rpc-gateway/host_parse.c src/rpc-gateway/host_parse.h \
	src/rpc-gateway/host_status.c src/rpc-gateway/host_status.h \
	src/rpc-gateway/host_window.c src/rpc-gateway/host_window.h \
	src/rpc-gateway/http.c src/rpc-gateway/http.h src/rpc-gateway/http_types.h \
	src/rpc-gateway/http_request.c src/rpc-gateway/http_request.h \
	src/rpc-gateway/instances.c src/rpc-gateway/instances.h \
	src/rpc-gateway/manager.c src/rpc-gateway/manager.h \
	src/rpc-gateway/methods.c src/rpc-gateway/methods.h \
	src/rpc-gateway/membership.c src/rpc-gateway/membership.h \
	src/rpc-gateway/metrics.c src/rpc-gateway/metrics.h \
	src/rpc-gateway/metrics_network.c src/rpc-gateway/metrics_network.h \
	src/rpc-gateway/metrics_text.c src/rpc-gateway/metrics_text.h \
	src/rpc-gateway/openmetrics.c src/rpc-gateway/openmetrics.h \
	src/rpc-gateway/problems.c src/rpc-gateway/problems.h \
	src/rpc-gateway/runtime.c src/rpc-gateway/runtime.h \
	src/rpc-gateway/stage_reports.c src/rpc-gateway/stage_reports.h \
	src/rpc-gateway/stage_stats.c src/rpc-gateway/stage_stats.h \
	src/rpc-gateway/token_guard.c src/rpc-gateway/token_guard.h \
	src/rpc-gateway/web.c src/rpc-gateway/web.h \
	src/rpc-gateway/zone_answer.c src/rpc-gateway/zone_answer.h \
	src/rpc-gateway/zone_loop.c src/rpc-gateway/zone_loop.h \
	src/rpc-gateway/zone_map.c src/rpc-gateway/zone_map.h \
	src/rpc-gateway/zone_server.c src/rpc-gateway/zone_server.h
libgateway_a_CPPFLAGS = $(AM_CPPFLAGS) $(MICROHTTPD_CFLAGS)

pkglibexec_PROGRAMS += rpc-gateway
rpc_gateway_SOURCES = src/rpc-gateway/main.c
rpc_gateway_LDADD = libgateway.a $(BASE_LIBS) $(GRPC_LIBS) $(MICROHTTPD_LIBS)

if UNIT_TESTS
check_PROGRAMS += tests/unit/test_agent_peer
TESTS += tests/unit/test_agent_peer
tests_unit_test_agent_peer_SOURCES = tests/unit/test_agent_peer.c
tests_unit_test_agent_peer_LDADD = libgateway.a $(UNIT_LIBS)
check_PROGRAMS += tests/unit/test_gateway tests/unit/test_gateway_host tests/unit/test_zone \
	tests/unit/test_zone_map
TESTS += tests/unit/test_gateway tests/unit/test_gateway_host tests/unit/test_zone tests/unit/test_zone_map
tests_unit_test_zone_SOURCES = tests/unit/test_zone.c
tests_unit_test_zone_CPPFLAGS = $(AM_CPPFLAGS) -DVECTORS='"$(abs_top_srcdir)/tests/vectors/grpc"'
tests_unit_test_zone_LDADD = libgateway.a $(UNIT_LIBS) $(GRPC_LIBS)
tests_unit_test_zone_map_SOURCES = tests/unit/test_zone_map.c
tests_unit_test_zone_map_LDADD = libgateway.a $(UNIT_LIBS) $(GRPC_LIBS)
tests_unit_test_gateway_SOURCES = tests/unit/test_gateway.c
tests_unit_test_gateway_LDADD = libgateway.a $(UNIT_LIBS) $(GRPC_LIBS)
tests_unit_test_gateway_host_SOURCES = tests/unit/test_gateway_host.c
tests_unit_test_gateway_host_LDADD = libgateway.a $(UNIT_LIBS) $(GRPC_LIBS)
endif
