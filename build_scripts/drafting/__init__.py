"""From a data file to the draft of a model's file: layout, plain_files, columns, targets, roles, model_file. Used by describe_data.py."""
