"""What a model's deploy and return pipelines run (render, verify), and people's commands: approve, roll_back, status, load_test,
example_request, retire, tear_down, preflight, capacity_plan.

Start reading at `render.buildspec.yml`. Each script is plain boto3 against whichever accounts settings.py and the environment name.
"""
