# src/lib/inapi: the zone's messages. The build makes their code from proto/ with protoc-c; it is not committed (a program that
# uses it links with $(GRPC_LIBS)).
PROTO_FILES = proto/inapi/common.proto proto/inapi/host.proto proto/inapi/app.proto proto/inapi/package.proto \
	proto/inapi/zone.proto proto/grpc/health.proto proto/grpc/reflection.proto proto/grpc/reflection_v1.proto
EXTRA_DIST += $(PROTO_FILES) proto/embed

libhostlet_a_SOURCES += \
	src/lib/inapi/convert.c src/lib/inapi/convert.h \
	src/lib/inapi/descriptors.h \
	src/lib/inapi/token.c src/lib/inapi/token.h \
	src/lib/inapi/token_mark.c src/lib/inapi/token_mark.h
nodist_libhostlet_a_SOURCES = \
	src/lib/inapi/common.pb-c.c src/lib/inapi/host.pb-c.c src/lib/inapi/app.pb-c.c src/lib/inapi/package.pb-c.c \
	src/lib/inapi/zone.pb-c.c src/lib/inapi/descriptors.c src/lib/grpc/health.pb-c.c src/lib/grpc/reflection.pb-c.c
PROTO_MADE = $(nodist_libhostlet_a_SOURCES:%.pb-c.c=%.pb-c.h)
BUILT_SOURCES += $(PROTO_MADE)
CLEANFILES += $(nodist_libhostlet_a_SOURCES) $(PROTO_MADE)

# The grouped form (&:) means that one run makes both files.
src/lib/%.pb-c.c src/lib/%.pb-c.h &: proto/%.proto
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(PROTOC_C) -I$(top_srcdir)/proto --c_out=src/lib $<
src/lib/inapi/descriptors.c: $(PROTO_FILES) proto/embed
	$(AM_V_GEN)$(MKDIR_P) $(@D) && $(PROTOC_C) -I$(top_srcdir)/proto --include_imports \
		--descriptor_set_out=$@.bin $(PROTO_FILES:proto/%=%) && \
		sh $(top_srcdir)/proto/embed inapi_descriptors lib/inapi/descriptors.h <$@.bin >$@.tmp && mv $@.tmp $@ && rm $@.bin

if UNIT_TESTS
check_PROGRAMS += tests/unit/test_inapi tests/unit/test_token
TESTS += tests/unit/test_inapi tests/unit/test_token
tests_unit_test_inapi_SOURCES = tests/unit/test_inapi.c tests/unit/proto_json.c tests/unit/proto_json.h
tests_unit_test_inapi_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_builddir)/src/lib -DVECTORS='"$(abs_top_srcdir)/tests/vectors/grpc"'
tests_unit_test_inapi_LDADD = $(UNIT_LIBS) $(GRPC_LIBS)
tests_unit_test_token_SOURCES = tests/unit/test_token.c
tests_unit_test_token_LDADD = $(UNIT_LIBS) $(GRPC_LIBS)
endif
