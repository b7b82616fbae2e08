import type { Schema } from '../types-of-schemas.js';

// Written from libs/events/schemas by `node dist/libs/events/src/write.main.js`. Change the schema instead.
/** Every JSON Schema of the contract, by name; for validators, and for the AsyncAPI document. */
// prettier-ignore
export const schemas: readonly Schema[] = [
  {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "urn:unionlink:schemas:acknowledgement",
  "title": "Acknowledgement",
  "description": "How a participant answers a merge, a revert, an erasure, or a request for consent.",
  "type": "object",
  "properties": {
    "kind": {
      "enum": [
        "merge",
        "revert",
        "erasure"
      ]
    },
    "id": {
      "type": "string",
      "description": "The mergeId or erasureId."
    },
    "participant": {
      "type": "string"
    },
    "status": {
      "enum": [
        "done",
        "failed",
        "accept",
        "refuse"
      ],
      "description": "done or failed after the fact; accept or refuse in answer to MergeProposed."
    },
    "detail": {
      "type": "string",
      "description": "Why it failed or was refused."
    }
  },
  "required": [
    "kind",
    "id",
    "participant",
    "status"
  ]
},
  {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "urn:unionlink:schemas:cause",
  "title": "Cause",
  "description": "What made the change.",
  "enum": [
    "login",
    "observation",
    "push",
    "import",
    "migration",
    "admin",
    "participant",
    "automatic"
  ]
},
  {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "urn:unionlink:schemas:conflict",
  "title": "ConflictSummary",
  "description": "A conflict as notices tell it; the evidence is at GET /v1/conflicts/{id}.",
  "type": "object",
  "properties": {
    "id": {
      "type": "string",
      "format": "uuid"
    },
    "kind": {
      "enum": [
        "different_union_id",
        "second_open_id",
        "separated",
        "too_many_identities",
        "different_union_ids_elsewhere",
        "binding"
      ]
    },
    "userIds": {
      "type": "array",
      "items": {
        "type": "string",
        "format": "uuid"
      },
      "description": "Whom it is about."
    },
    "appId": {
      "type": [
        "string",
        "null"
      ]
    },
    "openId": {
      "type": [
        "string",
        "null"
      ]
    },
    "unionId": {
      "type": [
        "string",
        "null"
      ]
    },
    "openPlatformId": {
      "type": [
        "string",
        "null"
      ]
    },
    "likelyCause": {
      "type": [
        "string",
        "null"
      ]
    }
  },
  "required": [
    "id",
    "kind",
    "userIds",
    "appId",
    "openId",
    "unionId",
    "openPlatformId",
    "likelyCause"
  ]
},
  {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "urn:unionlink:schemas:erased-user",
  "title": "ErasedUser",
  "description": "A user whose personal data was destroyed; the id answers \"erased\" for ever.",
  "type": "object",
  "properties": {
    "id": {
      "type": "string",
      "description": "The userId.",
      "format": "uuid"
    },
    "status": {
      "const": "erased"
    },
    "version": {
      "type": "integer",
      "minimum": 1
    }
  },
  "required": [
    "id",
    "status",
    "version"
  ]
},
  {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "urn:unionlink:schemas:identity-ref",
  "title": "IdentityRef",
  "description": "Names a person inside one app. The openId means nothing without its appId.",
  "type": "object",
  "properties": {
    "appId": {
      "type": "string"
    },
    "openId": {
      "type": "string",
      "description": "Case-sensitive.",
      "minLength": 1,
      "maxLength": 128
    }
  },
  "required": [
    "appId",
    "openId"
  ]
},
  {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "urn:unionlink:schemas:identity.AccountCancelled.v1",
  "title": "AccountCancelledData",
  "description": "A person cancelled their account with an app.",
  "type": "object",
  "properties": {
    "userId": {
      "type": [
        "string",
        "null"
      ],
      "description": "The user it is about, where there is one.",
      "format": "uuid"
    },
    "occurredAt": {
      "type": "string",
      "format": "date-time"
    },
    "cause": {
      "$ref": "urn:unionlink:schemas:cause"
    },
    "appId": {
      "type": "string"
    },
    "openId": {
      "type": "string"
    }
  },
  "required": [
    "userId",
    "occurredAt",
    "cause",
    "appId",
    "openId"
  ]
},
  {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "urn:unionlink:schemas:identity.AcknowledgementOverdue.v1",
  "title": "AcknowledgementOverdueData",
  "description": "A participant has not confirmed in time what it must; told once for each missing answer.",
  "type": "object",
  "properties": {
    "userId": {
      "type": [
        "string",
        "null"
      ],
      "description": "The target of the merge, or the erased user.",
      "format": "uuid"
    },
    "occurredAt": {
      "type": "string",
      "format": "date-time"
    },
    "cause": {
      "$ref": "urn:unionlink:schemas:cause"
    },
    "kind": {
      "enum": [
        "merge",
        "revert",
        "erasure"
      ]
    },
    "id": {
      "type": "string",
      "description": "The mergeId or erasureId.",
      "format": "uuid"
    },
    "participant": {
      "type": "string",
      "description": "Whose answer is missing."
    },
    "overdueAt": {
      "type": "string",
      "description": "Since when.",
      "format": "date-time"
    }
  },
  "required": [
    "userId",
    "occurredAt",
    "cause",
    "kind",
    "id",
    "participant",
    "overdueAt"
  ]
},
  {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "urn:unionlink:schemas:identity.AppBindingSuspected.v1",
  "title": "AppBindingSuspectedData",
  "description": "What arrives from an app does not fit the Open Platform account it is declared to be bound to.",
  "type": "object",
  "properties": {
    "userId": {
      "type": [
        "string",
        "null"
      ],
      "description": "The user it is about, where there is one.",
      "format": "uuid"
    },
    "occurredAt": {
      "type": "string",
      "format": "date-time"
    },
    "cause": {
      "$ref": "urn:unionlink:schemas:cause"
    },
    "appId": {
      "type": "string"
    },
    "openPlatformId": {
      "type": [
        "string",
        "null"
      ],
      "description": "As declared."
    },
    "finding": {
      "type": "string",
      "description": "Its code in the diagnosis of the app."
    },
    "detail": {
      "type": "string",
      "description": "What was seen."
    }
  },
  "required": [
    "userId",
    "occurredAt",
    "cause",
    "appId",
    "openPlatformId",
    "finding",
    "detail"
  ]
},
  {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "urn:unionlink:schemas:identity.ConflictOpened.v1",
  "title": "ConflictOpenedData",
  "description": "Evidence contradicts what is held; a human decides.",
  "type": "object",
  "properties": {
    "userId": {
      "type": [
        "string",
        "null"
      ],
      "description": "The user it is about, where there is one.",
      "format": "uuid"
    },
    "occurredAt": {
      "type": "string",
      "format": "date-time"
    },
    "cause": {
      "$ref": "urn:unionlink:schemas:cause"
    },
    "conflict": {
      "$ref": "urn:unionlink:schemas:conflict"
    }
  },
  "required": [
    "userId",
    "occurredAt",
    "cause",
    "conflict"
  ]
},
  {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "urn:unionlink:schemas:identity.ConflictResolved.v1",
  "title": "ConflictResolvedData",
  "description": "A conflict was decided or overtaken.",
  "type": "object",
  "properties": {
    "userId": {
      "type": [
        "string",
        "null"
      ],
      "description": "The user it is about, where there is one.",
      "format": "uuid"
    },
    "occurredAt": {
      "type": "string",
      "format": "date-time"
    },
    "cause": {
      "$ref": "urn:unionlink:schemas:cause"
    },
    "conflict": {
      "$ref": "urn:unionlink:schemas:conflict"
    },
    "decision": {
      "enum": [
        "keep",
        "merge",
        "move_identity",
        "rekey",
        "separate",
        "overtaken"
      ]
    }
  },
  "required": [
    "userId",
    "occurredAt",
    "cause",
    "conflict",
    "decision"
  ]
},
  {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "urn:unionlink:schemas:identity.ConsentRevoked.v1",
  "title": "ConsentRevokedData",
  "description": "A person took back what they had allowed an app.",
  "type": "object",
  "properties": {
    "userId": {
      "type": [
        "string",
        "null"
      ],
      "description": "The user it is about, where there is one.",
      "format": "uuid"
    },
    "occurredAt": {
      "type": "string",
      "format": "date-time"
    },
    "cause": {
      "$ref": "urn:unionlink:schemas:cause"
    },
    "appId": {
      "type": "string"
    },
    "openId": {
      "type": "string"
    },
    "revoked": {
      "type": "array",
      "items": {
        "type": "string"
      },
      "description": "What was taken back, in WeChat's words."
    }
  },
  "required": [
    "userId",
    "occurredAt",
    "cause",
    "appId",
    "openId",
    "revoked"
  ]
},
  {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "urn:unionlink:schemas:identity.IdentityRekeyed.v1",
  "title": "IdentityRekeyedData",
  "description": "An openId was replaced.",
  "type": "object",
  "properties": {
    "userId": {
      "type": "string",
      "description": "On whose key this event is.",
      "format": "uuid"
    },
    "version": {
      "type": "integer",
      "minimum": 1,
      "description": "The user's version after this change."
    },
    "occurredAt": {
      "type": "string",
      "format": "date-time"
    },
    "cause": {
      "$ref": "urn:unionlink:schemas:cause"
    },
    "user": {
      "description": "The whole state of the user after this change.",
      "$ref": "urn:unionlink:schemas:present-user"
    },
    "from": {
      "$ref": "urn:unionlink:schemas:identity-ref"
    },
    "to": {
      "$ref": "urn:unionlink:schemas:identity-ref"
    }
  },
  "required": [
    "userId",
    "version",
    "occurredAt",
    "cause",
    "user",
    "from",
    "to"
  ]
},
  {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "urn:unionlink:schemas:identity.MergeProposed.v1",
  "title": "MergeProposedData",
  "description": "Asks the participants that consent; silence until deadlineAt is a refusal.",
  "type": "object",
  "properties": {
    "userId": {
      "type": [
        "string",
        "null"
      ],
      "description": "The user it is about, where there is one.",
      "format": "uuid"
    },
    "occurredAt": {
      "type": "string",
      "format": "date-time"
    },
    "cause": {
      "$ref": "urn:unionlink:schemas:cause"
    },
    "mergeId": {
      "type": "string",
      "description": "The merge.",
      "format": "uuid"
    },
    "targetUserId": {
      "type": "string",
      "format": "uuid"
    },
    "sourceUserId": {
      "type": "string",
      "format": "uuid"
    },
    "participants": {
      "type": "array",
      "items": {
        "type": "string"
      },
      "description": "Who is asked."
    },
    "deadlineAt": {
      "type": "string",
      "format": "date-time"
    },
    "reason": {
      "type": [
        "string",
        "null"
      ]
    }
  },
  "required": [
    "userId",
    "occurredAt",
    "cause",
    "mergeId",
    "targetUserId",
    "sourceUserId",
    "participants",
    "deadlineAt",
    "reason"
  ]
},
  {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "urn:unionlink:schemas:identity.MergeReverted.v1",
  "title": "MergeRevertedData",
  "description": "A merge was undone; on the key of its target.",
  "type": "object",
  "properties": {
    "userId": {
      "type": "string",
      "description": "On whose key this event is.",
      "format": "uuid"
    },
    "version": {
      "type": "integer",
      "minimum": 1,
      "description": "The user's version after this change."
    },
    "occurredAt": {
      "type": "string",
      "format": "date-time"
    },
    "cause": {
      "$ref": "urn:unionlink:schemas:cause"
    },
    "user": {
      "description": "The whole state of the user after this change.",
      "$ref": "urn:unionlink:schemas:present-user"
    },
    "mergeId": {
      "type": "string",
      "description": "The merge.",
      "format": "uuid"
    },
    "sourceUserId": {
      "type": "string",
      "description": "The user that is live again.",
      "format": "uuid"
    },
    "returnedIdentities": {
      "type": "array",
      "items": {
        "$ref": "urn:unionlink:schemas:identity-ref"
      },
      "description": "What went back to the source."
    },
    "returnedUnionIds": {
      "type": "array",
      "items": {
        "$ref": "urn:unionlink:schemas:union-key"
      },
      "description": "What went back to the source."
    }
  },
  "required": [
    "userId",
    "version",
    "occurredAt",
    "cause",
    "user",
    "mergeId",
    "sourceUserId",
    "returnedIdentities",
    "returnedUnionIds"
  ]
},
  {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "urn:unionlink:schemas:identity.ProfileCleared.v1",
  "title": "ProfileClearedData",
  "description": "WeChat asks to delete the profile data an app holds of a person.",
  "type": "object",
  "properties": {
    "userId": {
      "type": [
        "string",
        "null"
      ],
      "description": "The user it is about, where there is one.",
      "format": "uuid"
    },
    "occurredAt": {
      "type": "string",
      "format": "date-time"
    },
    "cause": {
      "$ref": "urn:unionlink:schemas:cause"
    },
    "appId": {
      "type": "string"
    },
    "openId": {
      "type": "string"
    }
  },
  "required": [
    "userId",
    "occurredAt",
    "cause",
    "appId",
    "openId"
  ]
},
  {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "urn:unionlink:schemas:identity.SubscriptionChanged.v1",
  "title": "SubscriptionChangedData",
  "description": "A person followed or left a service account.",
  "type": "object",
  "properties": {
    "userId": {
      "type": [
        "string",
        "null"
      ],
      "description": "The user it is about, where there is one.",
      "format": "uuid"
    },
    "occurredAt": {
      "type": "string",
      "format": "date-time"
    },
    "cause": {
      "$ref": "urn:unionlink:schemas:cause"
    },
    "appId": {
      "type": "string"
    },
    "openId": {
      "type": "string"
    },
    "subscribed": {
      "type": "boolean"
    }
  },
  "required": [
    "userId",
    "occurredAt",
    "cause",
    "appId",
    "openId",
    "subscribed"
  ]
},
  {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "urn:unionlink:schemas:identity.UserErased.v1",
  "title": "UserErasedData",
  "description": "Personal data destroyed.",
  "type": "object",
  "properties": {
    "userId": {
      "type": "string",
      "description": "On whose key this event is.",
      "format": "uuid"
    },
    "version": {
      "type": "integer",
      "minimum": 1,
      "description": "The user's version after this change."
    },
    "occurredAt": {
      "type": "string",
      "format": "date-time"
    },
    "cause": {
      "$ref": "urn:unionlink:schemas:cause"
    },
    "user": {
      "description": "The whole state of the user after this change.",
      "$ref": "urn:unionlink:schemas:erased-user"
    },
    "erasureId": {
      "type": "string",
      "description": "The erasure.",
      "format": "uuid"
    }
  },
  "required": [
    "userId",
    "version",
    "occurredAt",
    "cause",
    "user",
    "erasureId"
  ]
},
  {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "urn:unionlink:schemas:identity.UserKeyed.v1",
  "title": "UserKeyedData",
  "description": "A unionId became this user's.",
  "type": "object",
  "properties": {
    "userId": {
      "type": "string",
      "description": "On whose key this event is.",
      "format": "uuid"
    },
    "version": {
      "type": "integer",
      "minimum": 1,
      "description": "The user's version after this change."
    },
    "occurredAt": {
      "type": "string",
      "format": "date-time"
    },
    "cause": {
      "$ref": "urn:unionlink:schemas:cause"
    },
    "user": {
      "description": "The whole state of the user after this change.",
      "$ref": "urn:unionlink:schemas:present-user"
    },
    "openPlatformId": {
      "type": "string"
    },
    "unionId": {
      "type": "string",
      "minLength": 1,
      "maxLength": 128
    }
  },
  "required": [
    "userId",
    "version",
    "occurredAt",
    "cause",
    "user",
    "openPlatformId",
    "unionId"
  ]
},
  {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "urn:unionlink:schemas:identity.UserLinked.v1",
  "title": "UserLinkedData",
  "description": "An identity became this user's.",
  "type": "object",
  "properties": {
    "userId": {
      "type": "string",
      "description": "On whose key this event is.",
      "format": "uuid"
    },
    "version": {
      "type": "integer",
      "minimum": 1,
      "description": "The user's version after this change."
    },
    "occurredAt": {
      "type": "string",
      "format": "date-time"
    },
    "cause": {
      "$ref": "urn:unionlink:schemas:cause"
    },
    "user": {
      "description": "The whole state of the user after this change.",
      "$ref": "urn:unionlink:schemas:present-user"
    },
    "identity": {
      "$ref": "urn:unionlink:schemas:identity-ref"
    },
    "created": {
      "type": "boolean",
      "description": "True when this link made the user."
    },
    "previousUserId": {
      "type": [
        "string",
        "null"
      ],
      "description": "The user that had the identity before, if any.",
      "format": "uuid"
    }
  },
  "required": [
    "userId",
    "version",
    "occurredAt",
    "cause",
    "user",
    "identity",
    "created",
    "previousUserId"
  ]
},
  {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "urn:unionlink:schemas:identity.UserMerged.v1",
  "title": "UserMergedData",
  "description": "Another user was folded into this one.",
  "type": "object",
  "properties": {
    "userId": {
      "type": "string",
      "description": "On whose key this event is.",
      "format": "uuid"
    },
    "version": {
      "type": "integer",
      "minimum": 1,
      "description": "The user's version after this change."
    },
    "occurredAt": {
      "type": "string",
      "format": "date-time"
    },
    "cause": {
      "$ref": "urn:unionlink:schemas:cause"
    },
    "user": {
      "description": "The whole state of the user after this change.",
      "$ref": "urn:unionlink:schemas:present-user"
    },
    "mergeId": {
      "type": "string",
      "description": "The merge.",
      "format": "uuid"
    },
    "sourceUserId": {
      "type": "string",
      "description": "The user that was folded in.",
      "format": "uuid"
    },
    "movedIdentities": {
      "type": "array",
      "items": {
        "$ref": "urn:unionlink:schemas:identity-ref"
      },
      "description": "What the source brought."
    },
    "movedUnionIds": {
      "type": "array",
      "items": {
        "$ref": "urn:unionlink:schemas:union-key"
      },
      "description": "What the source brought."
    },
    "automatic": {
      "type": "boolean",
      "description": "True when the unionId alone proved it (P1)."
    }
  },
  "required": [
    "userId",
    "version",
    "occurredAt",
    "cause",
    "user",
    "mergeId",
    "sourceUserId",
    "movedIdentities",
    "movedUnionIds",
    "automatic"
  ]
},
  {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "urn:unionlink:schemas:identity.UserRedirected.v1",
  "title": "UserRedirectedData",
  "description": "This id now answers with another user. Not a deletion.",
  "type": "object",
  "properties": {
    "userId": {
      "type": "string",
      "description": "On whose key this event is.",
      "format": "uuid"
    },
    "version": {
      "type": "integer",
      "minimum": 1,
      "description": "The user's version after this change."
    },
    "occurredAt": {
      "type": "string",
      "format": "date-time"
    },
    "cause": {
      "$ref": "urn:unionlink:schemas:cause"
    },
    "user": {
      "description": "The whole state of the user after this change.",
      "$ref": "urn:unionlink:schemas:present-user"
    },
    "mergeId": {
      "type": "string",
      "description": "The merge.",
      "format": "uuid"
    },
    "mergedInto": {
      "type": "string",
      "description": "The user it was folded into.",
      "format": "uuid"
    }
  },
  "required": [
    "userId",
    "version",
    "occurredAt",
    "cause",
    "user",
    "mergeId",
    "mergedInto"
  ]
},
  {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "urn:unionlink:schemas:identity.UserRekeyed.v1",
  "title": "UserRekeyedData",
  "description": "A unionId was replaced.",
  "type": "object",
  "properties": {
    "userId": {
      "type": "string",
      "description": "On whose key this event is.",
      "format": "uuid"
    },
    "version": {
      "type": "integer",
      "minimum": 1,
      "description": "The user's version after this change."
    },
    "occurredAt": {
      "type": "string",
      "format": "date-time"
    },
    "cause": {
      "$ref": "urn:unionlink:schemas:cause"
    },
    "user": {
      "description": "The whole state of the user after this change.",
      "$ref": "urn:unionlink:schemas:present-user"
    },
    "from": {
      "$ref": "urn:unionlink:schemas:union-key"
    },
    "to": {
      "$ref": "urn:unionlink:schemas:union-key"
    }
  },
  "required": [
    "userId",
    "version",
    "occurredAt",
    "cause",
    "user",
    "from",
    "to"
  ]
},
  {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "urn:unionlink:schemas:identity.UserRestored.v1",
  "title": "UserRestoredData",
  "description": "This id is a live user again.",
  "type": "object",
  "properties": {
    "userId": {
      "type": "string",
      "description": "On whose key this event is.",
      "format": "uuid"
    },
    "version": {
      "type": "integer",
      "minimum": 1,
      "description": "The user's version after this change."
    },
    "occurredAt": {
      "type": "string",
      "format": "date-time"
    },
    "cause": {
      "$ref": "urn:unionlink:schemas:cause"
    },
    "user": {
      "description": "The whole state of the user after this change.",
      "$ref": "urn:unionlink:schemas:present-user"
    },
    "mergeId": {
      "type": "string",
      "description": "The merge.",
      "format": "uuid"
    }
  },
  "required": [
    "userId",
    "version",
    "occurredAt",
    "cause",
    "user",
    "mergeId"
  ]
},
  {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "urn:unionlink:schemas:identity.UserSplit.v1",
  "title": "UserSplitData",
  "description": "Identities left for a new user.",
  "type": "object",
  "properties": {
    "userId": {
      "type": "string",
      "description": "On whose key this event is.",
      "format": "uuid"
    },
    "version": {
      "type": "integer",
      "minimum": 1,
      "description": "The user's version after this change."
    },
    "occurredAt": {
      "type": "string",
      "format": "date-time"
    },
    "cause": {
      "$ref": "urn:unionlink:schemas:cause"
    },
    "user": {
      "description": "The whole state of the user after this change.",
      "$ref": "urn:unionlink:schemas:present-user"
    },
    "newUserId": {
      "type": "string",
      "description": "The user that has them now.",
      "format": "uuid"
    },
    "identities": {
      "type": "array",
      "items": {
        "$ref": "urn:unionlink:schemas:identity-ref"
      },
      "description": "What left."
    }
  },
  "required": [
    "userId",
    "version",
    "occurredAt",
    "cause",
    "user",
    "newUserId",
    "identities"
  ]
},
  {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "urn:unionlink:schemas:identity.UserUnlinked.v1",
  "title": "UserUnlinkedData",
  "description": "An identity left this user.",
  "type": "object",
  "properties": {
    "userId": {
      "type": "string",
      "description": "On whose key this event is.",
      "format": "uuid"
    },
    "version": {
      "type": "integer",
      "minimum": 1,
      "description": "The user's version after this change."
    },
    "occurredAt": {
      "type": "string",
      "format": "date-time"
    },
    "cause": {
      "$ref": "urn:unionlink:schemas:cause"
    },
    "user": {
      "description": "The whole state of the user after this change.",
      "$ref": "urn:unionlink:schemas:present-user"
    },
    "identity": {
      "$ref": "urn:unionlink:schemas:identity-ref"
    }
  },
  "required": [
    "userId",
    "version",
    "occurredAt",
    "cause",
    "user",
    "identity"
  ]
},
  {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "urn:unionlink:schemas:linked-identity",
  "title": "LinkedIdentity",
  "description": "An identity and since when its user has it.",
  "type": "object",
  "properties": {
    "appId": {
      "type": "string"
    },
    "openId": {
      "type": "string",
      "description": "Case-sensitive.",
      "minLength": 1,
      "maxLength": 128
    },
    "linkedAt": {
      "type": "string",
      "format": "date-time"
    }
  },
  "required": [
    "appId",
    "openId",
    "linkedAt"
  ]
},
  {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "urn:unionlink:schemas:observation",
  "title": "Observation",
  "description": "What a trusted back end saw; the body of POST /v1/identities/resolve and the value of identity.observations.v1.",
  "type": "object",
  "properties": {
    "appId": {
      "type": "string"
    },
    "openId": {
      "type": "string"
    },
    "unionId": {
      "type": [
        "string",
        "null"
      ]
    },
    "source": {
      "type": "string",
      "description": "Default: trusted_backend."
    },
    "observedAt": {
      "type": "string",
      "description": "Default: now.",
      "format": "date-time"
    },
    "isSnapshotUser": {
      "type": "boolean"
    }
  },
  "required": [
    "appId",
    "openId"
  ],
  "additionalProperties": false
},
  {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "urn:unionlink:schemas:present-user",
  "title": "PresentUser",
  "description": "A user that is live, or merged away. Merged away is not a deletion: the id answers with another user; follow mergedInto until one that is live or erased.",
  "type": "object",
  "properties": {
    "id": {
      "type": "string",
      "description": "The userId.",
      "format": "uuid"
    },
    "entityId": {
      "type": "string",
      "description": "The organisation whose apps share users."
    },
    "status": {
      "enum": [
        "live",
        "merged"
      ]
    },
    "version": {
      "type": "integer",
      "minimum": 1,
      "description": "Runs 1, 2, 3… without a gap."
    },
    "createdAt": {
      "type": "string",
      "format": "date-time"
    },
    "mergedInto": {
      "type": [
        "string",
        "null"
      ],
      "description": "The user it was folded into; null while it is live.",
      "format": "uuid"
    },
    "identities": {
      "type": "array",
      "items": {
        "$ref": "urn:unionlink:schemas:linked-identity"
      },
      "description": "Empty when merged away: they moved."
    },
    "unionIds": {
      "type": "array",
      "items": {
        "$ref": "urn:unionlink:schemas:union-key"
      },
      "description": "Empty when merged away: they moved."
    }
  },
  "required": [
    "id",
    "entityId",
    "status",
    "version",
    "createdAt",
    "mergedInto",
    "identities",
    "unionIds"
  ],
  "anyOf": [
    {
      "properties": {
        "status": {
          "const": "live"
        },
        "mergedInto": {
          "type": "null"
        }
      }
    },
    {
      "properties": {
        "status": {
          "const": "merged"
        },
        "mergedInto": {
          "type": "string"
        },
        "identities": {
          "maxItems": 0
        },
        "unionIds": {
          "maxItems": 0
        }
      }
    }
  ]
},
  {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "urn:unionlink:schemas:reduced-event",
  "title": "ReducedEventData",
  "description": "What is left in the HTTP feed of an event of a user who was erased later: ids, status and version.",
  "type": "object",
  "properties": {
    "userId": {
      "type": "string",
      "format": "uuid"
    },
    "version": {
      "type": "integer",
      "minimum": 1
    },
    "user": {
      "type": "object",
      "properties": {
        "id": {
          "type": "string",
          "format": "uuid"
        },
        "status": {
          "enum": [
            "live",
            "merged",
            "erased"
          ]
        },
        "version": {
          "type": "integer",
          "minimum": 1
        },
        "mergedInto": {
          "type": [
            "string",
            "null"
          ],
          "format": "uuid"
        }
      },
      "required": [
        "id",
        "status",
        "version"
      ]
    }
  },
  "required": [
    "userId",
    "version",
    "user"
  ]
},
  {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "urn:unionlink:schemas:union-key",
  "title": "UnionKey",
  "description": "A unionId together with the Open Platform account it belongs to: the same text under two accounts is two keys.",
  "type": "object",
  "properties": {
    "openPlatformId": {
      "type": "string"
    },
    "unionId": {
      "type": "string",
      "minLength": 1,
      "maxLength": 128
    }
  },
  "required": [
    "openPlatformId",
    "unionId"
  ]
},
  {
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "urn:unionlink:schemas:user-state",
  "title": "UserState",
  "description": "The whole state of one user after its latest change; the value of identity.user-states.v1.",
  "oneOf": [
    {
      "$ref": "urn:unionlink:schemas:present-user"
    },
    {
      "$ref": "urn:unionlink:schemas:erased-user"
    }
  ]
},
];
