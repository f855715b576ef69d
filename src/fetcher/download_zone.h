/* Downloads a package from the zone. */
#pragma once

#include "fetcher/download.h"

void download_start_zone(struct download *d);
void download_zone_room(struct download *d);
void download_zone_stop(struct download *d);
