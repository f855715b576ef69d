/* Copies the content of a volume into another one, in a container that container-driver makes for it
 * (container-driver(8), "Volumes"). */
#pragma once

#include "lib/basic/error.h"

/* Copies everything below the directory 'from' into the empty directory 'to', and the owner, mode, times,
 * access lists and attributes of both; hard links, holes in files, devices, fifos and sockets stay what they
 * are. Everything is on the disk when the function returns 0. Else it returns a negative errno, the message
 * names the entry, and 'to' contains a part. 'volume' stands for 'from' in messages. */
int copy_volume(const char *volume, const char *from, const char *to, struct error *e);
