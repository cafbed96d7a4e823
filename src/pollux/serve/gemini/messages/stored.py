"""What files, cached contents, batches and tokens are made with."""

MESSAGES: dict[str, dict] = {
    "CreateFileRequest": {"file": "File"},
    "File": {
        "name": "string", "displayName": "string", "mimeType": "string", "sizeBytes": "int", "createTime": "timestamp",
        "updateTime": "timestamp", "expirationTime": "timestamp", "sha256Hash": "string", "uri": "string", "downloadUri": "string",
        "state": "any", "source": "any", "error": "any", "videoMetadata": "any",
    },
    "CachedContent": {
        "name": "string", "model": "string", "displayName": "string", "systemInstruction": "Content", "contents": ["Content"],
        "tools": ["Tool"], "toolConfig": "ToolConfig", "ttl": "duration", "expireTime": "timestamp", "createTime": "timestamp",
        "updateTime": "timestamp", "usageMetadata": "any",
    },
    "BatchGenerateContentRequest": {"batch": "GenerateContentBatch"},
    "GenerateContentBatch": {
        "model": "string", "name": "string", "displayName": "string", "inputConfig": "InputConfig", "priority": "int",
        "webhookConfig": "any",
    },
    "InputConfig": {"requests": "InlinedRequests", "fileName": "string"},
    "InlinedRequests": {"requests": ["InlinedRequest"]},
    "InlinedRequest": {"request": "GenerateContentRequest", "metadata": "any", "key": "string"},
    "AsyncBatchEmbedContentRequest": {"batch": "EmbedContentBatch"},
    "EmbedContentBatch": {
        "model": "string", "name": "string", "displayName": "string", "inputConfig": "InputEmbedContentConfig", "priority": "int",
        "webhookConfig": "any",
    },
    "InputEmbedContentConfig": {"requests": "InlinedEmbedContentRequests", "fileName": "string"},
    "InlinedEmbedContentRequests": {"requests": ["InlinedEmbedContentRequest"]},
    "InlinedEmbedContentRequest": {"request": "EmbedContentRequest", "metadata": "any", "key": "string"},
    "AuthToken": {
        "name": "string", "uses": "int", "expireTime": "timestamp", "newSessionExpireTime": "timestamp",
        "bidiGenerateContentSetup": "LiveSetup", "fieldMask": "string",
    },
}  # fmt: skip
