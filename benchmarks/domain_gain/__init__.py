"""Did the domain help? Finetunes on equal terms, judged on clips that none has seen."""
