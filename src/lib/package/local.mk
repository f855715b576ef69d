# src/lib/package
