/* Downloads a package from a server. */
#pragma once

#include "fetcher/download.h"

void download_start_http(struct download *d);
/* Continue a transfer that waited for space in the ring. */
void download_http_room(struct download *d);
