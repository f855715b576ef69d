# src/lib/app
