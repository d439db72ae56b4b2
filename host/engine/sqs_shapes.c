#include "host/engine/sqs_shapes.h"

#include <string.h>

#define END                                                                                        \
    { NULL, SQS_STRING, NULL }

static const struct sqs_member attribute_value[] = {
    {"DataType", SQS_STRING, NULL},
    {"StringValue", SQS_STRING, NULL},
    {"BinaryValue", SQS_STRING, NULL},
    {"StringListValues", SQS_STRING_LIST, NULL},
    {"BinaryListValues", SQS_STRING_LIST, NULL},
    END,
};

static const struct sqs_member create_queue[] = {
    {"QueueName", SQS_STRING, NULL},
    {"Attributes", SQS_STRING_MAP, NULL},
    {"tags", SQS_STRING_MAP, NULL},
    END,
};

static const struct sqs_member get_queue_url[] = {
    {"QueueName", SQS_STRING, NULL},
    {"QueueOwnerAWSAccountId", SQS_STRING, NULL},
    END,
};

static const struct sqs_member queue_only[] = {
    {"QueueUrl", SQS_STRING, NULL},
    END,
};

static const struct sqs_member list_queues[] = {
    {"QueueNamePrefix", SQS_STRING, NULL},
    {"MaxResults", SQS_INTEGER, NULL},
    {"NextToken", SQS_STRING, NULL},
    END,
};

static const struct sqs_member list_sources[] = {
    {"QueueUrl", SQS_STRING, NULL},
    {"MaxResults", SQS_INTEGER, NULL},
    {"NextToken", SQS_STRING, NULL},
    END,
};

static const struct sqs_member get_attributes[] = {
    {"QueueUrl", SQS_STRING, NULL},
    {"AttributeNames", SQS_STRING_LIST, NULL},
    END,
};

static const struct sqs_member set_attributes[] = {
    {"QueueUrl", SQS_STRING, NULL},
    {"Attributes", SQS_STRING_MAP, NULL},
    END,
};

static const struct sqs_member tag_queue[] = {
    {"QueueUrl", SQS_STRING, NULL},
    {"Tags", SQS_STRING_MAP, NULL},
    END,
};

static const struct sqs_member untag_queue[] = {
    {"QueueUrl", SQS_STRING, NULL},
    {"TagKeys", SQS_STRING_LIST, NULL},
    END,
};

#define MESSAGE                                                                                    \
    {"MessageBody", SQS_STRING, NULL}, {"DelaySeconds", SQS_INTEGER, NULL},                        \
        {"MessageAttributes", SQS_STRUCTURE_MAP, attribute_value},                                 \
        {"MessageSystemAttributes", SQS_STRUCTURE_MAP, attribute_value},                           \
        {"MessageDeduplicationId", SQS_STRING, NULL}, {                                            \
        "MessageGroupId", SQS_STRING, NULL                                                         \
    }

static const struct sqs_member send_message[] = {{"QueueUrl", SQS_STRING, NULL}, MESSAGE, END};

static const struct sqs_member send_entry[] = {{"Id", SQS_STRING, NULL}, MESSAGE, END};

static const struct sqs_member send_message_batch[] = {
    {"QueueUrl", SQS_STRING, NULL},
    {"Entries", SQS_STRUCTURE_LIST, send_entry},
    END,
};

static const struct sqs_member receive_message[] = {
    {"QueueUrl", SQS_STRING, NULL},
    {"MaxNumberOfMessages", SQS_INTEGER, NULL},
    {"WaitTimeSeconds", SQS_INTEGER, NULL},
    {"VisibilityTimeout", SQS_INTEGER, NULL},
    {"AttributeNames", SQS_STRING_LIST, NULL},
    {"MessageSystemAttributeNames", SQS_STRING_LIST, NULL},
    {"MessageAttributeNames", SQS_STRING_LIST, NULL},
    {"ReceiveRequestAttemptId", SQS_STRING, NULL},
    END,
};

static const struct sqs_member handle[] = {
    {"QueueUrl", SQS_STRING, NULL},
    {"ReceiptHandle", SQS_STRING, NULL},
    {"VisibilityTimeout", SQS_INTEGER, NULL},
    END,
};

static const struct sqs_member handle_entry[] = {
    {"Id", SQS_STRING, NULL},
    {"ReceiptHandle", SQS_STRING, NULL},
    {"VisibilityTimeout", SQS_INTEGER, NULL},
    END,
};

static const struct sqs_member handle_batch[] = {
    {"QueueUrl", SQS_STRING, NULL},
    {"Entries", SQS_STRUCTURE_LIST, handle_entry},
    END,
};

static const struct sqs_member start_move[] = {
    {"SourceArn", SQS_STRING, NULL},
    {"DestinationArn", SQS_STRING, NULL},
    {"MaxNumberOfMessagesPerSecond", SQS_INTEGER, NULL},
    END,
};

static const struct sqs_member list_moves[] = {
    {"SourceArn", SQS_STRING, NULL},
    {"MaxResults", SQS_INTEGER, NULL},
    END,
};

static const struct sqs_member cancel_move[] = {
    {"TaskHandle", SQS_STRING, NULL},
    END,
};

static const struct sqs_member permission[] = {
    {"QueueUrl", SQS_STRING, NULL},
    {"Label", SQS_STRING, NULL},
    {"AWSAccountIds", SQS_STRING_LIST, NULL},
    {"Actions", SQS_STRING_LIST, NULL},
    END,
};

/* The busy ones first. */
static const struct sqs_operation operations[SQS_OPERATION_COUNT] = {
    {"ReceiveMessage", sqs_op_receive_message, receive_message},
    {"SendMessage", sqs_op_send_message, send_message},
    {"DeleteMessage", sqs_op_delete_message, handle},
    {"SendMessageBatch", sqs_op_send_message_batch, send_message_batch},
    {"DeleteMessageBatch", sqs_op_delete_message_batch, handle_batch},
    {"ChangeMessageVisibility", sqs_op_change_message_visibility, handle},
    {"ChangeMessageVisibilityBatch", sqs_op_change_message_visibility_batch, handle_batch},
    {"CreateQueue", sqs_op_create_queue, create_queue},
    {"DeleteQueue", sqs_op_delete_queue, queue_only},
    {"GetQueueUrl", sqs_op_get_queue_url, get_queue_url},
    {"GetQueueAttributes", sqs_op_get_queue_attributes, get_attributes},
    {"SetQueueAttributes", sqs_op_set_queue_attributes, set_attributes},
    {"ListQueues", sqs_op_list_queues, list_queues},
    {"ListDeadLetterSourceQueues", sqs_op_list_dead_letter_source_queues, list_sources},
    {"PurgeQueue", sqs_op_purge_queue, queue_only},
    {"TagQueue", sqs_op_tag_queue, tag_queue},
    {"UntagQueue", sqs_op_untag_queue, untag_queue},
    {"ListQueueTags", sqs_op_list_queue_tags, queue_only},
    {"StartMessageMoveTask", sqs_op_start_message_move_task, start_move},
    {"ListMessageMoveTasks", sqs_op_list_message_move_tasks, list_moves},
    {"CancelMessageMoveTask", sqs_op_cancel_message_move_task, cancel_move},
    {"AddPermission", sqs_op_add_permission, permission},
    {"RemovePermission", sqs_op_remove_permission, permission},
};

unsigned sqs_operation_index(const struct sqs_operation *operation) {
    return (unsigned)(operation - operations);
}

const char *sqs_operation_name(unsigned operation) {
    return operations[operation].name;
}

const struct sqs_operation *sqs_operation_find(const char *name) {
    for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++) {
        if (strcmp(operations[i].name, name) == 0)
            return &operations[i];
    }
    return NULL;
}
