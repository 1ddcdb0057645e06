"""What a model's deploy pipeline runs (choose_version, render, wait_for_endpoint, still_approved, verify), and people's commands: approve,
status, load_test, example_request, retire, tear_down, preflight, capacity_plan.

Start reading at `render.buildspec.yml`. Each script is plain boto3 against whichever accounts settings.py and the environment name.
"""
