# src/lib/manifest: reads manifests from files. It is a library of its own, since toml++ makes its programs C++ ones: only
# hostletctl uses it. Such a program has "nodist_EXTRA_PROGRAM_SOURCES = dummy.cc", so that the C++ compiler links it.
noinst_LIBRARIES += libmanifest.a
libmanifest_a_SOURCES = \
	src/lib/manifest/manifest.c src/lib/manifest/manifest.h \
	src/lib/manifest/options.c src/lib/manifest/options.h \
	src/lib/manifest/toml.cc src/lib/manifest/toml.h
libmanifest_a_CPPFLAGS = $(AM_CPPFLAGS) $(TOMLPLUSPLUS_CFLAGS)

MANIFEST_LIBS = libmanifest.a $(TOMLPLUSPLUS_LIBS)

if UNIT_TESTS
check_PROGRAMS += tests/unit/test_manifest
TESTS += tests/unit/test_manifest
tests_unit_test_manifest_SOURCES = tests/unit/test_manifest.c
nodist_EXTRA_tests_unit_test_manifest_SOURCES = dummy.cc
tests_unit_test_manifest_LDADD = $(MANIFEST_LIBS) $(UNIT_LIBS)
tests_unit_test_manifest_CPPFLAGS = $(AM_CPPFLAGS) -DVECTORS='"$(abs_top_srcdir)/tests/vectors"'
endif
