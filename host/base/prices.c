#include "host/base/prices.h"

const struct prices prices_list = {
    .region = "us-east-1",
    .date = "2026",
    .source = "aws.amazon.com/sqs/pricing and aws.amazon.com/lambda/pricing: the common published "
              "prices, x86, the first tier",
    .sqs_standard = 0.40 / 1e6,
    .sqs_fifo = 0.50 / 1e6,
    .lambda_request = 0.20 / 1e6,
    .lambda_gb_second = 0.0000166667,
};
