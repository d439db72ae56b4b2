# A handler that answers with its event.
def main(event, context):
    return event
