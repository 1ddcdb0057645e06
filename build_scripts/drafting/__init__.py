"""From a data file to the draft of a model's file, for describe_data.py.

Journey: layout, plain_files, columns, sample, targets, roles, yardstick, model_file.
"""
