// The API's words under short names; the shapes are generated from docs/openapi.json.
import type { components } from "./api.gen";

type Schemas = components["schemas"];

export type Task = Schemas["TaskView"];
export type Attempt = Schemas["AttemptView"];
export type Node = Schemas["NodeView"];
export type Patch = Schemas["PatchView"];
export type Check = Schemas["CheckView"];
export type Placement = Schemas["PlacementView"];
export type Usage = Schemas["Usage"];
export type Resources = Schemas["Resources"];
export type Project = Schemas["ProjectView"];
export type Plan = Schemas["PlanView"];
export type PlannedTask = Schemas["PlannedTask"];
export type Submission = Schemas["SubmitView"];
export type Snapshot = Schemas["Snapshot"];
export type Happening = Schemas["Event"];
export type LogEntry = Schemas["LogEntry"];
export type Mesh = Schemas["MeshView"];
export type Member = Schemas["MemberView"];
export type Invitation = Schemas["InvitationView"];
export type User = Schemas["UserView"];
export type Pass = Schemas["PassView"];
export type AuditEntry = Schemas["AuditEntry"];
export type SharedTask = Schemas["SharedTask"];
export type EditorLink = Schemas["OpenView"];

/** What every list answers. */
export interface List<T> {
  items: T[];
  next?: string | null;
}

/** The one error document. */
export interface Problem {
  code: string;
  message: string;
  hint?: string | null;
  requestId?: string | null;
}
