/* What AWS charges. List prices; nobody's free tier, discounts, taxes or data transfer. */
#ifndef AWSYNC_BASE_PRICES_H
#define AWSYNC_BASE_PRICES_H

/* US dollars. */
struct prices {
    const char *region, *date, *source;
    double sqs_standard, sqs_fifo; /* a billed request */
    double lambda_request;
    double lambda_gb_second;
};
extern const struct prices prices_list;

#endif
