/* Downloads a package from a server. */
#pragma once

#include "fetcher/download.h"

void download_start_http(struct download *d);
/* The sink took bytes. */
void download_http_room(struct download *d);
