#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/aws/config.h"
#include "host/base/ascii.h"

/* Regions of one partition begin alike. The first row that fits counts. */
static const struct partition {
    const char *prefix, *suffix, *dual_suffix;
    const char *iam_host, *iam_region;
} partitions[] = {
    {"cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn", "iam.cn-north-1.amazonaws.com.cn",
     "cn-north-1"},
    {"us-gov-", "amazonaws.com", "api.aws", "iam.us-gov.amazonaws.com", "us-gov-west-1"},
    {"us-isob-", "sc2s.sgov.gov", "api.aws.scloud", "iam.us-isob-east-1.sc2s.sgov.gov",
     "us-isob-east-1"},
    {"us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov", "iam.us-isof-south-1.csp.hci.ic.gov",
     "us-isof-south-1"},
    {"us-iso-", "c2s.ic.gov", "api.aws.ic.gov", "iam.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"},
    {"eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk", "iam.eu-isoe-west-1.cloud.adc-e.uk",
     "eu-isoe-west-1"},
    {"eusc-", "amazonaws.eu", "api.amazonwebservices.eu", "iam.eusc-de-east-1.amazonaws.eu",
     "eusc-de-east-1"},
    {"", "amazonaws.com", "api.aws", "iam.amazonaws.com", "us-east-1"},
};

static const struct service {
    const char *name;
    bool gov_plain_fips; /* in GovCloud the usual host is the FIPS host */
} services[AWS_SERVICE_COUNT] = {
    [AWS_SQS] = {"sqs", true}, [AWS_LAMBDA] = {"lambda", false}, [AWS_STS] = {"sts", true},
    [AWS_IAM] = {"iam", true}, [AWS_LOGS] = {"logs", true},
};

const char *config_service_name(enum aws_service service) {
    return services[service].name;
}

void endpoint_free(struct endpoint *endpoint) {
    free(endpoint->url);
    free(endpoint->host);
    free(endpoint->prefix);
    free(endpoint->region);
    *endpoint = (struct endpoint){0};
}

static bool valid_region(const char *region) {
    size_t len = strlen(region);
    return len > 0 && len <= 63 && strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-") == len &&
           region[0] != '-' && region[len - 1] != '-';
}

/* `host`, `host:port`, `[v6]:port`. */
static bool valid_authority(const char *text, size_t len) {
    size_t host = 0;
    if (len > 0 && text[0] == '[') {
        const char *end = memchr(text, ']', len);
        if (end == NULL)
            return false;
        host = (size_t)(end - text) + 1;
        if (host < 4 || strspn(text + 1, "0123456789abcdefABCDEF:.") + 2 != host)
            return false;
    } else {
        while (host < len && text[host] != ':') {
            if (strchr("@/\\<>\"{}|^`%", text[host]) != NULL)
                return false;
            host++;
        }
        if (host == 0)
            return false;
    }
    if (host == len)
        return true;
    if (text[host] != ':')
        return false;
    long port = 0;
    for (size_t i = host + 1; i < len; i++) {
        if (text[i] < '0' || text[i] > '9' || port > 65535)
            return false;
        port = port * 10 + (text[i] - '0');
    }
    return len > host + 1 && port > 0 && port <= 65535;
}

bool endpoint_parse(struct endpoint *out, const char *url, const char *region, char *error,
                    size_t error_size) {
    *out = (struct endpoint){0};
    if (!valid_region(region)) {
        snprintf(error, error_size, "\"%.80s\" is no name of a region", region);
        return false;
    }
    bool https = ascii_same_n(url, "https://", 8);
    const char *authority = https ? url + 8 : url + 7;
    if (!https && !ascii_same_n(url, "http://", 7)) {
        snprintf(error, error_size, "endpoint \"%.200s\" begins with neither http:// nor https://",
                 url);
        return false;
    }
    for (const unsigned char *c = (const unsigned char *)url; *c != '\0'; c++)
        if (*c <= ' ' || *c >= 0x7F || *c == '?' || *c == '#' || *c == '\\') {
            snprintf(error, error_size, "endpoint \"%.200s\" has a character that it cannot have",
                     url);
            return false;
        }
    size_t authority_len = strcspn(authority, "/");
    if (!valid_authority(authority, authority_len)) {
        snprintf(error, error_size, "endpoint \"%.200s\" has no valid host", url);
        return false;
    }
    const char *path = authority + authority_len;
    size_t path_len = strlen(path);
    while (path_len > 0 && path[path_len - 1] == '/')
        path_len--;

    /* The default port is not part of the Host header. */
    const char *port = https ? ":443" : ":80";
    size_t port_len = strlen(port), host_len = authority_len;
    if (host_len > port_len && memcmp(authority + host_len - port_len, port, port_len) == 0)
        host_len -= port_len;
    out->url = strndup(url, (size_t)(path - url) + path_len);
    out->host = strndup(authority, host_len);
    out->prefix = strndup(path, path_len);
    out->region = strdup(region);
    if (out->url && out->host && out->prefix && out->region)
        return true;
    endpoint_free(out);
    snprintf(error, error_size, "out of memory");
    return false;
}

bool endpoint_default(struct endpoint *out, enum aws_service service, const char *region, bool fips,
                      bool dualstack, char *error, size_t error_size) {
    *out = (struct endpoint){0};
    if (!valid_region(region)) {
        snprintf(error, error_size, "\"%.80s\" is no name of a region", region);
        return false;
    }
    const struct partition *p = partitions;
    while (strncmp(region, p->prefix, strlen(p->prefix)) != 0)
        p++;
    char url[256];
    if (service == AWS_IAM) { /* one host for a partition */
        bool aws = p->prefix[0] == '\0';
        if (aws && fips)
            snprintf(url, sizeof url, "https://iam-fips.amazonaws.com");
        else
            snprintf(url, sizeof url, "https://%s", p->iam_host);
        return endpoint_parse(out, url, p->iam_region, error, error_size);
    }
    const struct service *s = &services[service];
    bool plain = !dualstack && s->gov_plain_fips && strcmp(p->prefix, "us-gov-") == 0;
    snprintf(url, sizeof url, "https://%s%s.%s.%s", s->name, fips && !plain ? "-fips" : "", region,
             dualstack ? p->dual_suffix : p->suffix);
    return endpoint_parse(out, url, region, error, error_size);
}
