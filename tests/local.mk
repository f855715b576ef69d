# What unit tests (cmocka) link with: the local.mk of the folder they test declares them. scripts/test runs all others.
UNIT_LIBS = $(CMOCKA_LIBS) $(BASE_LIBS)
EXTRA_DIST += tests/pytest.ini tests/lib tests/vectors tests/integration tests/bench tests/chaos tests/system
include tests/peers/local.mk
include tests/fuzz/local.mk
