pkglibexec_PROGRAMS += quota-keeper
quota_keeper_SOURCES = src/quota-keeper/main.c
quota_keeper_LDADD = $(BASE_LIBS)
