# src/lib/manifest
