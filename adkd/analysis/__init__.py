"""From finished runs to tables and figures. Nothing here trains or imports torch."""
