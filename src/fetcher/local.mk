# src/fetcher
