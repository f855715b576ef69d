# Unit tests (cmocka). Each folder's tests stand here in one block; integration and system tests are run by scripts/test.
UNIT_LIBS = $(CMOCKA_LIBS) $(BASE_LIBS)
if UNIT_TESTS
endif
EXTRA_DIST += tests/pytest.ini tests/lib tests/vectors tests/integration tests/bench tests/chaos tests/system
include tests/peers/local.mk
include tests/fuzz/local.mk
