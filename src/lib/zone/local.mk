# src/lib/zone: reads and writes the zone's file, and makes signed calls to the zone (a program that uses the latter links with $(GRPC_LIBS))
libhostlet_a_SOURCES += \
	src/lib/zone/check.c src/lib/zone/check.h \
	src/lib/zone/client.c src/lib/zone/client.h \
	src/lib/zone/file.c src/lib/zone/file.h \
	src/lib/zone/tls.c src/lib/zone/tls.h
