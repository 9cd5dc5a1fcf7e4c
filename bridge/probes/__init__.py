"""How `consilium check` tries the parts that all networks share: one module for each."""
