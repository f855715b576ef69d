# src/reconciler
