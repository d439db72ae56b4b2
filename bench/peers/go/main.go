// A handler that answers with its event, on AWS's runtime for Go.
package main

import (
	"context"

	"github.com/aws/aws-lambda-go/lambda"
)

func main() {
	lambda.Start(func(_ context.Context, event any) (any, error) { return event, nil })
}
