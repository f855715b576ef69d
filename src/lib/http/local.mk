# src/lib/http
