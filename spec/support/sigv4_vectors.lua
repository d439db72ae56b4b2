-- Requests made from the rules of Signature Version 4, with what signs them.
-- `canonical` (its lines) and `signature` are what botocore 1.44.5 makes of them, read against the rules line by line:
-- SigV4Auth for `headers` (S3SigV4Auth where raw_path is set), SigV4QueryAuth for `presigned`.
-- botocore signs a query as it finds it; where the one on the wire is not canonical, it was given the canonical
-- form, written by hand. It takes the body of a presigned request away; so that was given to it late.
-- Key AKIDEXAMPLE, time 20260102T030405Z, us-east-1, sqs unless a service is named.
local EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

return {
  headers = {
    {
      name = "an empty path is /",
      method = "GET", target = "",
      headers = { { "Host", "sqs.us-east-1.amazonaws.com" } },
      canonical = {
        "GET", "/", "", "host:sqs.us-east-1.amazonaws.com", "x-amz-date:20260102T030405Z", "", "host;x-amz-date",
        EMPTY,
      },
      signature = "9f745a048bcdd22cc7dd6862f885edaf821fc93439e5bbd90e26dd990e6dc141",
    },
    {
      name = "an empty path before a query is /",
      method = "GET", target = "?a=1",
      headers = { { "Host", "sqs.us-east-1.amazonaws.com" } },
      canonical = {
        "GET", "/", "a=1", "host:sqs.us-east-1.amazonaws.com", "x-amz-date:20260102T030405Z", "", "host;x-amz-date",
        EMPTY,
      },
      signature = "02db6a77b11bc0483a296ea40a4816b2a571ea9ca4a85af9e7cbc23f52062623",
    },
    {
      name = "two slashes are one",
      method = "GET", target = "//example//",
      headers = { { "Host", "sqs.us-east-1.amazonaws.com" } },
      canonical = {
        "GET", "/example/", "", "host:sqs.us-east-1.amazonaws.com", "x-amz-date:20260102T030405Z", "",
        "host;x-amz-date", EMPTY,
      },
      signature = "4759c9af635ee897a2e54d9ce63fad332e98fec38901cb0cd632e8c6be677e33",
    },
    {
      name = "a single . is dropped",
      method = "GET", target = "/./a/./b",
      headers = { { "Host", "sqs.us-east-1.amazonaws.com" } },
      canonical = {
        "GET", "/a/b", "", "host:sqs.us-east-1.amazonaws.com", "x-amz-date:20260102T030405Z", "", "host;x-amz-date",
        EMPTY,
      },
      signature = "361e43019bc17c2d73ce9c294c3b83738d3ebdba49ad9b5838e54157288fa45e",
    },
    {
      name = ".. drops the segment before it",
      method = "GET", target = "/a/b/../c",
      headers = { { "Host", "sqs.us-east-1.amazonaws.com" } },
      canonical = {
        "GET", "/a/c", "", "host:sqs.us-east-1.amazonaws.com", "x-amz-date:20260102T030405Z", "", "host;x-amz-date",
        EMPTY,
      },
      signature = "d6e0112d5fbccb8f37417287097ba3f6c3c952dba20145c03a32e4655539d5ae",
    },
    {
      name = ".. never climbs above the root",
      method = "GET", target = "/../../a",
      headers = { { "Host", "sqs.us-east-1.amazonaws.com" } },
      canonical = {
        "GET", "/a", "", "host:sqs.us-east-1.amazonaws.com", "x-amz-date:20260102T030405Z", "", "host;x-amz-date",
        EMPTY,
      },
      signature = "d90127365a7e8d68cba98ccb7aafb438d4cc8b77271e37013b7c2b96dfab3bbf",
    },
    {
      name = "a path of nothing but dots is /",
      method = "GET", target = "/./../",
      headers = { { "Host", "sqs.us-east-1.amazonaws.com" } },
      canonical = {
        "GET", "/", "", "host:sqs.us-east-1.amazonaws.com", "x-amz-date:20260102T030405Z", "", "host;x-amz-date",
        EMPTY,
      },
      signature = "9f745a048bcdd22cc7dd6862f885edaf821fc93439e5bbd90e26dd990e6dc141",
    },
    {
      name = "a trailing slash stays",
      method = "GET", target = "/a/b/",
      headers = { { "Host", "sqs.us-east-1.amazonaws.com" } },
      canonical = {
        "GET", "/a/b/", "", "host:sqs.us-east-1.amazonaws.com", "x-amz-date:20260102T030405Z", "", "host;x-amz-date",
        EMPTY,
      },
      signature = "a9b4d4042f458df81425fac99d849eda35a6a3c41dcf2f3510a031d59deac614",
    },
    {
      name = "a trailing .. leaves no slash",
      method = "GET", target = "/a/b/..",
      headers = { { "Host", "sqs.us-east-1.amazonaws.com" } },
      canonical = {
        "GET", "/a", "", "host:sqs.us-east-1.amazonaws.com", "x-amz-date:20260102T030405Z", "", "host;x-amz-date",
        EMPTY,
      },
      signature = "d90127365a7e8d68cba98ccb7aafb438d4cc8b77271e37013b7c2b96dfab3bbf",
    },
    {
      name = "three dots are a name",
      method = "GET", target = "/.../a",
      headers = { { "Host", "sqs.us-east-1.amazonaws.com" } },
      canonical = {
        "GET", "/.../a", "", "host:sqs.us-east-1.amazonaws.com", "x-amz-date:20260102T030405Z", "", "host;x-amz-date",
        EMPTY,
      },
      signature = "1fa76882777a6103e204bf6b52fff69a2a45d0f3116e3479fb69020a2101188e",
    },
    {
      name = "what is percent-encoded is encoded once more",
      method = "GET", target = "/queue%2Fname/a%3Ab",
      headers = { { "Host", "sqs.us-east-1.amazonaws.com" } },
      canonical = {
        "GET", "/queue%252Fname/a%253Ab", "", "host:sqs.us-east-1.amazonaws.com", "x-amz-date:20260102T030405Z", "",
        "host;x-amz-date", EMPTY,
      },
      signature = "8434ab085d8830be6e09f5b875a8730f2d4962f9f5813086f9c5e85d380d7130",
    },
    {
      name = "lower-case hex in a path stays as it is",
      method = "GET", target = "/a%c3%bc",
      headers = { { "Host", "sqs.us-east-1.amazonaws.com" } },
      canonical = {
        "GET", "/a%25c3%25bc", "", "host:sqs.us-east-1.amazonaws.com", "x-amz-date:20260102T030405Z", "",
        "host;x-amz-date", EMPTY,
      },
      signature = "b119848312c116a83e1727ebfa44cf8f76fb3b0c78dde9174a5be6b28c2d08d7",
    },
    {
      name = "an encoded dot is no dot",
      method = "GET", target = "/a/%2e%2e/b",
      headers = { { "Host", "sqs.us-east-1.amazonaws.com" } },
      canonical = {
        "GET", "/a/%252e%252e/b", "", "host:sqs.us-east-1.amazonaws.com", "x-amz-date:20260102T030405Z", "",
        "host;x-amz-date", EMPTY,
      },
      signature = "6c4a0f347e3758ec0c7158a0c8dee2065ff6f2d2d4642053ce03d191865e33c1",
    },
    {
      name = "raw UTF-8 in a path is encoded once",
      method = "GET", target = "/\xe1\x88\xb4/\xc3\xa4",
      headers = { { "Host", "sqs.us-east-1.amazonaws.com" } },
      canonical = {
        "GET", "/%E1%88%B4/%C3%A4", "", "host:sqs.us-east-1.amazonaws.com", "x-amz-date:20260102T030405Z", "",
        "host;x-amz-date", EMPTY,
      },
      signature = "bab0bf140e2b8f31967f7f588310a78384824a77fb35041464dcd9c4984fdd49",
    },
    {
      name = "a raw blank in a path is encoded once",
      method = "GET", target = "/example space/",
      headers = { { "Host", "sqs.us-east-1.amazonaws.com" } },
      canonical = {
        "GET", "/example%20space/", "", "host:sqs.us-east-1.amazonaws.com", "x-amz-date:20260102T030405Z", "",
        "host;x-amz-date", EMPTY,
      },
      signature = "369a1666d2c51002616ea9563c847b550e663f8e0916cf9289530da396219df6",
    },
    {
      name = "reserved characters in a path are encoded",
      method = "GET", target = "/a:b@c!d$e'f(g)h*i+j,k;l=m",
      headers = { { "Host", "sqs.us-east-1.amazonaws.com" } },
      canonical = {
        "GET", "/a%3Ab%40c%21d%24e%27f%28g%29h%2Ai%2Bj%2Ck%3Bl%3Dm", "", "host:sqs.us-east-1.amazonaws.com",
        "x-amz-date:20260102T030405Z", "", "host;x-amz-date", EMPTY,
      },
      signature = "521e89b57048a22f8a13ce794a7ffe80a44d576667234ba3420cc55334b20adc",
    },
    {
      name = "unreserved characters in a path stay",
      method = "GET", target = "/-._~0189AZaz",
      headers = { { "Host", "sqs.us-east-1.amazonaws.com" } },
      canonical = {
        "GET", "/-._~0189AZaz", "", "host:sqs.us-east-1.amazonaws.com", "x-amz-date:20260102T030405Z", "",
        "host;x-amz-date", EMPTY,
      },
      signature = "787d8712099a3782ac708e7c71314830acdd93399547b200d62bf35b095fdb92",
    },
    {
      name = "a raw path is neither normalised nor encoded again (S3)",
      method = "GET", target = "/a//b/../c%2Fd/",
      headers = { { "Host", "sqs.us-east-1.amazonaws.com" }, { "X-Amz-Content-SHA256", EMPTY } },
      service = "s3", raw_path = true,
      canonical = {
        "GET", "/a//b/../c%2Fd/", "", "host:sqs.us-east-1.amazonaws.com",
        "x-amz-content-sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "x-amz-date:20260102T030405Z", "", "host;x-amz-content-sha256;x-amz-date", EMPTY,
      },
      signature = "a58ddfd7e0256836b22222844ac3edf7a894a9bb89d92e05405f69c8c988b245",
    },
    {
      name = "a name without = has an empty value",
      method = "GET", target = "/?acl",
      headers = { { "Host", "sqs.us-east-1.amazonaws.com" } },
      canonical = {
        "GET", "/", "acl=", "host:sqs.us-east-1.amazonaws.com", "x-amz-date:20260102T030405Z", "", "host;x-amz-date",
        EMPTY,
      },
      signature = "ef0ea70c3e1af0b4908c14d6b5b6b06acdfcdca17b721c890c355992bd0bdd99",
    },
    {
      name = "an empty value",
      method = "GET", target = "/?a=&b=1",
      headers = { { "Host", "sqs.us-east-1.amazonaws.com" } },
      canonical = {
        "GET", "/", "a=&b=1", "host:sqs.us-east-1.amazonaws.com", "x-amz-date:20260102T030405Z", "",
        "host;x-amz-date", EMPTY,
      },
      signature = "8061ff80bcd4922c07e0bffe781112479dbdf274ef19b24e51959671d5ec0783",
    },
    {
      name = "parameters are sorted by name",
      method = "GET", target = "/?Zeta=1&alpha=2&Alpha=3",
      headers = { { "Host", "sqs.us-east-1.amazonaws.com" } },
      canonical = {
        "GET", "/", "Alpha=3&Zeta=1&alpha=2", "host:sqs.us-east-1.amazonaws.com", "x-amz-date:20260102T030405Z", "",
        "host;x-amz-date", EMPTY,
      },
      signature = "28a894148ff4772eca2beb589b69662e350037a16a12f7d95af2dd9d35b226de",
    },
    {
      name = "one name many times is sorted by value",
      method = "GET", target = "/?x=b&x=a&x=&x=B",
      headers = { { "Host", "sqs.us-east-1.amazonaws.com" } },
      canonical = {
        "GET", "/", "x=&x=B&x=a&x=b", "host:sqs.us-east-1.amazonaws.com", "x-amz-date:20260102T030405Z", "",
        "host;x-amz-date", EMPTY,
      },
      signature = "08937065748b52adbca1a5736eb77de0748e41b3dfdd6aa2be98372441b70a87",
    },
    {
      name = "sorted by encoded bytes, not by decoded ones",
      method = "GET", target = "/?%C3%A9=1&z=2&%40=3&A=4",
      headers = { { "Host", "sqs.us-east-1.amazonaws.com" } },
      canonical = {
        "GET", "/", "%40=3&%C3%A9=1&A=4&z=2", "host:sqs.us-east-1.amazonaws.com", "x-amz-date:20260102T030405Z", "",
        "host;x-amz-date", EMPTY,
      },
      signature = "e32f8dce8bb875f5274841a1a50034490320204203c879842e5ae3d62aad34d6",
    },
    {
      name = "a name sorts before the longer name that begins with it",
      method = "GET", target = "/?ab-=1&ab=2&a=3",
      headers = { { "Host", "sqs.us-east-1.amazonaws.com" } },
      canonical = {
        "GET", "/", "a=3&ab=2&ab-=1", "host:sqs.us-east-1.amazonaws.com", "x-amz-date:20260102T030405Z", "",
        "host;x-amz-date", EMPTY,
      },
      signature = "b2bdafaf3b43cb8fbbe84dc2a126c122c17fa95376fb96eadba1187e547361c4",
    },
    {
      name = "a plus is a plus",
      method = "GET", target = "/?q=a+b",
      headers = { { "Host", "sqs.us-east-1.amazonaws.com" } },
      canonical = {
        "GET", "/", "q=a%2Bb", "host:sqs.us-east-1.amazonaws.com", "x-amz-date:20260102T030405Z", "",
        "host;x-amz-date", EMPTY,
      },
      signature = "a7990763de11d51f47813d26b1fe77cdf8bdae2f36e1ef4b2ce318c90309036e",
    },
    {
      name = "an encoded plus and a blank stay what they are",
      method = "GET", target = "/?q=%2B%20%2b",
      headers = { { "Host", "sqs.us-east-1.amazonaws.com" } },
      canonical = {
        "GET", "/", "q=%2B%20%2B", "host:sqs.us-east-1.amazonaws.com", "x-amz-date:20260102T030405Z", "",
        "host;x-amz-date", EMPTY,
      },
      signature = "ff19904389bba7f90cbf21c3df276d2f8fefbf770d126d31d1adf6f26a86c635",
    },
    {
      name = "equals signs in a value are encoded",
      method = "GET", target = "/?token=abc==",
      headers = { { "Host", "sqs.us-east-1.amazonaws.com" } },
      canonical = {
        "GET", "/", "token=abc%3D%3D", "host:sqs.us-east-1.amazonaws.com", "x-amz-date:20260102T030405Z", "",
        "host;x-amz-date", EMPTY,
      },
      signature = "2f37d9c38157fe0b515cd094252f4c71b7d57aef6997c529d6222881b2be0a69",
    },
    {
      name = "hex of both cases is one parameter",
      method = "GET", target = "/?a=%c3%a4%7e%41",
      headers = { { "Host", "sqs.us-east-1.amazonaws.com" } },
      canonical = {
        "GET", "/", "a=%C3%A4~A", "host:sqs.us-east-1.amazonaws.com", "x-amz-date:20260102T030405Z", "",
        "host;x-amz-date", EMPTY,
      },
      signature = "9634b4ec6e002310db85c6f9fc0f5db095e7030ad4b936f45345326071038d76",
    },
    {
      name = "raw UTF-8 in a query",
      method = "GET", target = "/?\xe1\x88\xb4=bar",
      headers = { { "Host", "sqs.us-east-1.amazonaws.com" } },
      canonical = {
        "GET", "/", "%E1%88%B4=bar", "host:sqs.us-east-1.amazonaws.com", "x-amz-date:20260102T030405Z", "",
        "host;x-amz-date", EMPTY,
      },
      signature = "f778591d220a5f813ee68bc572498353a0c0d9e8348f0b29fca4f75412c3761b",
    },
    {
      name = "reserved characters in a query are encoded",
      method = "GET", target = "/?p=a/b:c@d?e!f$g'h(i)*",
      headers = { { "Host", "sqs.us-east-1.amazonaws.com" } },
      canonical = {
        "GET", "/", "p=a%2Fb%3Ac%40d%3Fe%21f%24g%27h%28i%29%2A", "host:sqs.us-east-1.amazonaws.com",
        "x-amz-date:20260102T030405Z", "", "host;x-amz-date", EMPTY,
      },
      signature = "d44c5e0e26d880c2e59c68d57dbc3a8a8bd2887da8b6abc244e42b9a82e99b3e",
    },
    {
      name = "empty pieces of a query do not count",
      method = "GET", target = "/?&a=1&&b=2&",
      headers = { { "Host", "sqs.us-east-1.amazonaws.com" } },
      canonical = {
        "GET", "/", "a=1&b=2", "host:sqs.us-east-1.amazonaws.com", "x-amz-date:20260102T030405Z", "",
        "host;x-amz-date", EMPTY,
      },
      signature = "5eeb04983a9b8484c280150a047ee89a36faa4fafe4a5e1dc5a7c38f54739278",
    },
    {
      name = "a stray % is encoded",
      method = "GET", target = "/?a=100%&b=%zz",
      headers = { { "Host", "sqs.us-east-1.amazonaws.com" } },
      canonical = {
        "GET", "/", "a=100%25&b=%25zz", "host:sqs.us-east-1.amazonaws.com", "x-amz-date:20260102T030405Z", "",
        "host;x-amz-date", EMPTY,
      },
      signature = "2e78cf3ae8597691b8a61a6536a8ebd61165813ae6a9b7011d72fd7f6ac2e125",
    },
    {
      name = "names of any case are lowered and sorted",
      method = "POST", target = "/",
      headers = {
        { "Host", "sqs.us-east-1.amazonaws.com" },
        { "X-AMZ-Zeta", "1" },
        { "x-amz-alpha", "2" },
        { "X-Amz-Mid", "3" },
      },
      canonical = {
        "POST", "/", "", "host:sqs.us-east-1.amazonaws.com", "x-amz-alpha:2", "x-amz-date:20260102T030405Z",
        "x-amz-mid:3", "x-amz-zeta:1", "", "host;x-amz-alpha;x-amz-date;x-amz-mid;x-amz-zeta", EMPTY,
      },
      signature = "d52b3e80774a5658bf66ae1659207ed505b614d0dcc9c0b03bc6b03869de28f6",
    },
    {
      name = "outer blanks of a value are cut",
      method = "POST", target = "/",
      headers = { { "Host", "sqs.us-east-1.amazonaws.com" }, { "X-Amz-A", "  padded\t " } },
      canonical = {
        "POST", "/", "", "host:sqs.us-east-1.amazonaws.com", "x-amz-a:padded", "x-amz-date:20260102T030405Z", "",
        "host;x-amz-a;x-amz-date", EMPTY,
      },
      signature = "33b188c455d8acad9d3430d4118e6426a0881ffe1cbc4e0358f2dfa145892321",
    },
    {
      name = "inner runs of blanks are one blank",
      method = "POST", target = "/",
      headers = {
        { "Host", "sqs.us-east-1.amazonaws.com" },
        { "X-Amz-A", "a   b \t c" },
        { "X-Amz-B", "\"a   b\"" },
      },
      canonical = {
        "POST", "/", "", "host:sqs.us-east-1.amazonaws.com", "x-amz-a:a b c", "x-amz-b:\"a b\"",
        "x-amz-date:20260102T030405Z", "", "host;x-amz-a;x-amz-b;x-amz-date", EMPTY,
      },
      signature = "e23bdfd1cfef6c8fa9af0b09c7054f889d0ab3165fd8f058c7cf534272f44a00",
    },
    {
      name = "a folded value is one line",
      method = "POST", target = "/",
      headers = { { "Host", "sqs.us-east-1.amazonaws.com" }, { "X-Amz-A", "first\r\n   second\r\n\tthird" } },
      canonical = {
        "POST", "/", "", "host:sqs.us-east-1.amazonaws.com", "x-amz-a:first second third",
        "x-amz-date:20260102T030405Z", "", "host;x-amz-a;x-amz-date", EMPTY,
      },
      signature = "47db35306d4d504ea4d117e4a08ef625bd6dacf38df3644eee9d911968fa8008",
    },
    {
      name = "values of one header are joined in their order",
      method = "POST", target = "/",
      headers = {
        { "Host", "sqs.us-east-1.amazonaws.com" },
        { "X-Amz-A", "z" },
        { "x-amz-b", "between" },
        { "X-AMZ-A", "  a " },
        { "x-amz-a", "m" },
      },
      canonical = {
        "POST", "/", "", "host:sqs.us-east-1.amazonaws.com", "x-amz-a:z,a,m", "x-amz-b:between",
        "x-amz-date:20260102T030405Z", "", "host;x-amz-a;x-amz-b;x-amz-date", EMPTY,
      },
      signature = "282fe06ece0944d0c93afcfcdc8e44a25bcae0d5b09e5ad6b934a463735ee6fa",
    },
    {
      name = "an empty value keeps its line",
      method = "POST", target = "/",
      headers = { { "Host", "sqs.us-east-1.amazonaws.com" }, { "X-Amz-A", "" }, { "X-Amz-B", "   " } },
      canonical = {
        "POST", "/", "", "host:sqs.us-east-1.amazonaws.com", "x-amz-a:", "x-amz-b:", "x-amz-date:20260102T030405Z",
        "", "host;x-amz-a;x-amz-b;x-amz-date", EMPTY,
      },
      signature = "69c66f37e7d2dd5c67860a9ad9d08415f77e980fc200e2f80734b4d1b1edd429",
    },
    {
      name = "a port that is not the default is part of the host",
      method = "POST", target = "/000000000000/q",
      headers = { { "Host", "127.0.0.1:9324" }, { "Content-Type", "application/x-amz-json-1.0" } },
      body = "{}",
      canonical = {
        "POST", "/000000000000/q", "", "content-type:application/x-amz-json-1.0", "host:127.0.0.1:9324",
        "x-amz-date:20260102T030405Z", "", "content-type;host;x-amz-date",
        "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
      },
      signature = "cb85c90f5bf7bad9c081c7e910c74d01ff198e9011f5e203cd970a0312905eab",
    },
    {
      name = "a name that is the start of another sorts before it",
      method = "POST", target = "/",
      headers = {
        { "Host", "sqs.us-east-1.amazonaws.com" },
        { "X-Amz-Meta-Ab", "1" },
        { "X-Amz-Meta-A", "2" },
        { "X-Amz-Meta", "3" },
        { "X-Amz-Meta_", "4" },
      },
      canonical = {
        "POST", "/", "", "host:sqs.us-east-1.amazonaws.com", "x-amz-date:20260102T030405Z", "x-amz-meta:3",
        "x-amz-meta-a:2", "x-amz-meta-ab:1", "x-amz-meta_:4", "",
        "host;x-amz-date;x-amz-meta;x-amz-meta-a;x-amz-meta-ab;x-amz-meta_", EMPTY,
      },
      signature = "210b44b9c370599ce4e5f5ce9bb65b1d88f0c2d2d411654c26e4a9d6796c5f4d",
    },
    {
      name = "a body of any bytes",
      method = "POST", target = "/",
      headers = {
        { "Host", "sqs.us-east-1.amazonaws.com" },
        { "Content-Type", "application/x-www-form-urlencoded; charset=utf-8" },
      },
      body = "Action=SendMessage&MessageBody=%00\x00\xff",
      canonical = {
        "POST", "/", "", "content-type:application/x-www-form-urlencoded; charset=utf-8",
        "host:sqs.us-east-1.amazonaws.com", "x-amz-date:20260102T030405Z", "", "content-type;host;x-amz-date",
        "c106b57ba4f949f7d8b465992b3ce762cabeef1d911e10a0680e2510d8df5433",
      },
      signature = "9c653d5389bf310b035637bd627bf29a8394029906f9dd036143133b97451a7d",
    },
    {
      name = "a session token is signed",
      method = "GET", target = "/?Action=ListQueues",
      headers = { { "Host", "sqs.us-east-1.amazonaws.com" } },
      token = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQW+=",
      canonical = {
        "GET", "/", "Action=ListQueues", "host:sqs.us-east-1.amazonaws.com", "x-amz-date:20260102T030405Z",
        "x-amz-security-token:AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQW+=", "",
        "host;x-amz-date;x-amz-security-token", EMPTY,
      },
      signature = "1a51b857b4a1dd6988de3abf1c590f31ca50f173d7a8a8508835d1310637751d",
    },
  },
  presigned = {
    {
      name = "a queue, for an hour", expires_s = 3600,
      method = "GET", target = "/000000000000/q?Action=ReceiveMessage&Version=2012-11-05",
      canonical = {
        "GET", "/000000000000/q",
        "Action=ReceiveMessage&Version=2012-11-05&X-Amz-Algorithm=AWS4-HMAC-SHA256" ..
          "&X-Amz-Credential=AKIDEXAMPLE%2F20260102%2Fus-east-1%2Fsqs%2Faws4_request" ..
          "&X-Amz-Date=20260102T030405Z&X-Amz-Expires=3600" ..
          "&X-Amz-SignedHeaders=host",
        "host:sqs.us-east-1.amazonaws.com", "", "host", EMPTY,
      },
      signature = "2c5e40410604697702ce694b36b2124ae3ccd61805dd19bef40229ae24f9b8be",
    },
    {
      name = "with a session token", expires_s = 604800,
      method = "GET", target = "/",
      token = "AQoD//+==",
      canonical = {
        "GET", "/",
        "X-Amz-Algorithm=AWS4-HMAC-SHA256" ..
          "&X-Amz-Credential=AKIDEXAMPLE%2F20260102%2Fus-east-1%2Fsqs%2Faws4_request" ..
          "&X-Amz-Date=20260102T030405Z&X-Amz-Expires=604800&X-Amz-Security-Token=AQoD%2F%2F%2B%3D%3D" ..
          "&X-Amz-SignedHeaders=host",
        "host:sqs.us-east-1.amazonaws.com", "", "host", EMPTY,
      },
      signature = "9e9b5317b7ee6122a9e50ece8854de9c2d113978d09c0dba69b3b187da58c713",
    },
    {
      name = "a body is hashed", expires_s = 1,
      method = "POST", target = "/a%3Ab",
      body = "{}",
      canonical = {
        "POST", "/a%253Ab",
        "X-Amz-Algorithm=AWS4-HMAC-SHA256" ..
          "&X-Amz-Credential=AKIDEXAMPLE%2F20260102%2Fus-east-1%2Fsqs%2Faws4_request" ..
          "&X-Amz-Date=20260102T030405Z&X-Amz-Expires=1" ..
          "&X-Amz-SignedHeaders=host",
        "host:sqs.us-east-1.amazonaws.com", "", "host",
        "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
      },
      signature = "1759454f562cf4f6816db415b3c61785c1515819ded3022d246b6c2e2c3598d1",
    },
  },
}
